/** Addresses of queues and stores: their parts, and how they are shown without credentials. */
import path from "node:path";
import { RequestError } from "../errors.js";

export interface RedisAddress {
  readonly kind: "redis";
  readonly host: string;
  readonly port: number;
  readonly database: number;
  readonly username?: string;
  readonly password?: string;
  readonly tls: boolean;
}
export interface S3Address {
  readonly kind: "s3";
  readonly bucket: string;
  /** "" or a path that ends with a slash. */
  readonly prefix: string;
}
export interface FolderAddress {
  readonly kind: "folder";
  readonly folder: string;
}

const hasScheme = (text: string): boolean => /^[a-z][a-z0-9+.-]+:\/\//i.test(text);

/** Environment variables for the parts of a Redis address that are not on the command line. */
export const REDIS_USERNAME = "VARIEGATE_REDIS_USERNAME";
export const REDIS_PASSWORD = "VARIEGATE_REDIS_PASSWORD";

/** Parses the address of a queue. Credentials that the URL lacks come from the environment. @throws RequestError */
export function queueAddress(text: string, env: NodeJS.ProcessEnv = process.env): RedisAddress | FolderAddress {
  if (!hasScheme(text)) return { kind: "folder", folder: path.resolve(text) };
  const expected = "expected redis://[user:password@]host[:port][/database], rediss:// for TLS, or a folder";
  const url = parsed(text, expected);
  const tls = url.protocol === "rediss:";
  const database = Number(url.pathname.slice(1) || 0);
  if ((!tls && url.protocol !== "redis:") || url.hostname === "" || !Number.isSafeInteger(database) || url.search) {
    throw new RequestError(`--queue ${withoutCredentials(text)}: ${expected}`);
  }
  const username = decodeURIComponent(url.username) || env[REDIS_USERNAME];
  const password = decodeURIComponent(url.password) || env[REDIS_PASSWORD];
  return {
    kind: "redis",
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: Number(url.port || 6379),
    database,
    ...(username && { username }),
    ...(password && { password }),
    tls,
  };
}

/** Parses the address of a store. @throws RequestError */
export function storeAddress(text: string): S3Address | FolderAddress {
  if (!hasScheme(text)) return { kind: "folder", folder: path.resolve(text) };
  const expected = "expected s3://bucket[/prefix] or a folder";
  const url = parsed(text, expected);
  if (url.username || url.password) {
    throw new RequestError(
      `--store ${withoutCredentials(text)}: credentials come from the environment (AWS_ACCESS_KEY_ID, AWS_PROFILE …), not from the URL`,
    );
  }
  if (url.protocol !== "s3:" || url.hostname === "" || url.port || url.search) {
    throw new RequestError(`--store ${text}: ${expected}`);
  }
  const prefix = decodeURIComponent(url.pathname).replace(/^\/+|\/+$/g, "");
  return { kind: "s3", bucket: url.hostname, prefix: prefix && `${prefix}/` };
}

function parsed(text: string, expected: string): URL {
  try {
    return new URL(text);
  } catch (cause) {
    throw new RequestError(`${withoutCredentials(text)}: ${expected}`, { cause });
  }
}

/** Text with the user names and passwords of all URLs in it replaced. */
export const withoutCredentials = (text: string): string => text.replace(/([a-z][a-z0-9+.-]*:\/\/)\S*@/gi, "$1***@");

export const showAddress = (a: RedisAddress | S3Address | FolderAddress): string =>
  a.kind === "folder"
    ? a.folder
    : a.kind === "s3"
      ? `s3://${a.bucket}/${a.prefix}`.replace(/\/$/, "")
      : `${a.tls ? "rediss" : "redis"}://${a.host.includes(":") ? `[${a.host}]` : a.host}:${a.port}${a.database ? `/${a.database}` : ""}`;
