/**
 * A server that plays the Hub on this machine, and a second one, of another origin, that plays the store its large files lie in.
 * Both speak as the real ones do, and misbehave where a test says so.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";

export type Files = Readonly<Record<string, Uint8Array>>;

export interface Repository {
  /** Files by revision: branches, tags; each is a commit of its own. */
  readonly revisions: Readonly<Record<string, Files>>;
  readonly gated?: boolean;
  /** Only for whoever has the token. */
  readonly private?: boolean;
}

/** What a request is answered with instead of what was asked for. */
export type Mischief =
  | { readonly status: number; readonly headers?: Record<string, string> }
  /** The connection is cut after so many bytes. */
  | { readonly cutAfter: number }
  /** Other bytes of the same length. */
  | { readonly spoilt: true }
  /** More or fewer bytes, honestly announced. */
  | { readonly length: number }
  | { readonly ignoresRange: true }
  | { readonly json: unknown }
  /** Bytes come in small pieces with a pause. */
  | { readonly slow: number };

export interface Asked {
  readonly at: "hub" | "store";
  readonly method: string;
  readonly url: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
}

export interface Hub {
  readonly endpoint: string;
  readonly asked: Asked[];
  /** Asked for each request; the number counts requests of the same path from 0. */
  mischief: (asked: Asked, time: number) => Mischief | undefined;
  repositories: Record<string, Repository>;
  commit(id: string, revision?: string): string;
  /** Behaves again, and forgets what was asked. */
  reset(): void;
  close(): Promise<void>;
}

export const TOKEN = "hf_test";
const PAGE = 7;

const isLarge = (file: string) => /\.(safetensors|bin|ckpt|pt|pth)$/.test(file);
export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
export const gitHash = (bytes: Uint8Array): string =>
  createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
export const blobName = (file: string, bytes: Uint8Array): string => (isLarge(file) ? sha256(bytes) : gitHash(bytes));

/** Files of a folder by their places in it. */
export function filesOf(folder: string | URL, below = ""): Record<string, Uint8Array> {
  const root = typeof folder === "string" ? folder : fileURLToPath(folder);
  return Object.fromEntries(
    readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((e) => e.isFile())
      .map((e) => {
        const file = path.join(e.parentPath, e.name);
        return [`${below}${path.relative(root, file).split(path.sep).join("/")}`, readFileSync(file)];
      }),
  );
}

const commitOf = (files: Files): string => {
  const hash = createHash("sha1");
  for (const [name, bytes] of Object.entries(files)) hash.update(`${name} ${sha256(bytes)}\n`);
  return hash.digest("hex");
};

const siblingsOf = (files: Files) => Object.keys(files).map((rfilename) => ({ rfilename }));

/** Lets pages of other origins read, as the real ones do. Answers what browsers ask beforehand. */
function allow({ method, headers }: IncomingMessage, response: ServerResponse): boolean {
  if (headers.origin === undefined) return false;
  response.setHeader("access-control-allow-origin", headers.origin);
  response.setHeader("access-control-expose-headers", "ETag, Content-Range, Link, X-Error-Code");
  if (method !== "OPTIONS") return false;
  response.writeHead(204, {
    "access-control-allow-methods": "GET, HEAD, OPTIONS",
    "access-control-allow-headers": headers["access-control-request-headers"] ?? "",
  });
  response.end();
  return true;
}

const listen = (server: Server) =>
  new Promise<string>((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  });

/** Starts both servers. */
export async function startHub(repositories: Record<string, Repository>): Promise<Hub> {
  const times = new Map<string, number>();
  const asked: Asked[] = [];
  const note = (at: Asked["at"], request: IncomingMessage) => {
    const { authorization, range } = request.headers;
    const ifRange = request.headers["if-range"];
    const one: Asked = {
      at,
      method: request.method ?? "",
      url: request.url ?? "",
      authorization,
      range,
      ifRange: typeof ifRange === "string" ? ifRange : undefined,
    };
    asked.push(one);
    const key = `${at} ${one.method} ${one.url}`;
    const time = times.get(key) ?? 0;
    times.set(key, time + 1);
    return { one, prank: hub.mischief(one, time) };
  };

  const store = createServer((request, response) => {
    if (allow(request, response)) return;
    const { prank } = note("store", request);
    const hash = (request.url ?? "").slice(1).split("?")[0] ?? "";
    for (const repository of Object.values(hub.repositories)) {
      for (const files of Object.values(repository.revisions)) {
        const bytes = Object.values(files).find((b) => sha256(b) === hash);
        if (bytes) return give(request, response, bytes, `"store-${hash.slice(0, 12)}"`, prank);
      }
    }
    response.writeHead(404).end();
  });
  const storeAddress = await listen(store);

  const server = createServer((request, response) => {
    if (allow(request, response)) return;
    const { one, prank } = note("hub", request);
    if (prank && "status" in prank) return void response.writeHead(prank.status, prank.headers).end();
    if (prank && "json" in prank) return void json(response, prank.json);
    const url = new URL(one.url, hub.endpoint);
    const [, api, id = "", rest = ""] = /^(\/api\/models)?\/([^/]+\/[^/]+)\/(.*)$/.exec(url.pathname) ?? [];
    const repository = hub.repositories[id];
    const knows = one.authorization === `Bearer ${TOKEN}`;
    const refuse = (status: number, code?: string, message?: string) =>
      void response
        .writeHead(status, { ...(code && { "x-error-code": code }), ...(message && { "x-error-message": message }) })
        .end();
    if (one.authorization !== undefined && !knows)
      return refuse(401, undefined, "Invalid credentials in Authorization header");
    // The real one says 401 of what is not there, so that nobody learns which private ones are.
    if (!repository || (repository.private && !knows))
      return knows ? refuse(404, "RepoNotFound") : refuse(401, "RepoNotFound");
    const [what = "", revision = "", ...below] = rest.split("/").map(decodeURIComponent);
    const files = Object.entries(repository.revisions).find(
      ([name, f]) => name === revision || commitOf(f) === revision,
    )?.[1];
    if (!files) return refuse(404, "RevisionNotFound", `Invalid rev id: ${revision}`);
    if (api && what === "revision") return json(response, { id, sha: commitOf(files), siblings: siblingsOf(files) });
    if (api && what === "tree") return listing(response, url, files);
    if (what !== "resolve") return refuse(404);
    if (repository.gated && !knows) return refuse(401, "GatedRepo", `Access to model ${id} is restricted.`);
    const file = below.join("/");
    const bytes = files[file];
    if (!bytes)
      return void response.writeHead(404, { "x-error-code": "EntryNotFound", "x-repo-commit": commitOf(files) }).end();
    const facts = { "x-repo-commit": commitOf(files) };
    if (!isLarge(file)) {
      for (const [name, value] of Object.entries(facts)) response.setHeader(name, value);
      return give(request, response, bytes, `"${gitHash(bytes)}"`, prank);
    }
    const hash = sha256(bytes);
    response
      .writeHead(302, {
        ...facts,
        "x-linked-etag": `"${hash}"`,
        "x-linked-size": String(bytes.length),
        location: `${storeAddress}/${hash}?signature=abc`,
      })
      .end();
  });

  const hub: Hub = {
    endpoint: await listen(server),
    asked,
    mischief: () => undefined,
    repositories,
    commit: (id, revision = "main") => commitOf(hub.repositories[id]?.revisions[revision] ?? {}),
    reset: () => {
      hub.mischief = () => undefined;
      asked.length = 0;
      times.clear();
    },
    close: async () => {
      for (const s of [server, store]) {
        s.closeAllConnections();
        await new Promise((resolve) => s.close(resolve));
      }
    },
  };
  return hub;
}

const json = (response: ServerResponse, value: unknown, headers: Record<string, string> = {}): void =>
  void response.writeHead(200, { "content-type": "application/json", ...headers }).end(JSON.stringify(value));

/** A page of a listing, with where the next one is. */
function listing(response: ServerResponse, url: URL, files: Files): void {
  const all = Object.entries(files);
  const from = Number(url.searchParams.get("cursor") ?? 0);
  const next = new URL(url);
  next.searchParams.set("cursor", String(from + PAGE));
  const folders = from === 0 ? [{ type: "directory", path: "unet", oid: "0".repeat(40), size: 0 }] : [];
  const entries = all.slice(from, from + PAGE).map(([path, bytes]) => ({
    type: "file",
    path,
    oid: gitHash(bytes),
    size: bytes.length,
    ...(isLarge(path) && { lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 134 } }),
  }));
  const link: Record<string, string> = from + PAGE < all.length ? { link: `<${next.href}>; rel="next"` } : {};
  json(response, [...folders, ...entries], link);
}

/** Bytes, or a part of them, or what the prank makes of them. */
function give(
  request: IncomingMessage,
  response: ServerResponse,
  all: Uint8Array,
  etag: string,
  prank: Mischief | undefined,
): void {
  if (prank && "status" in prank) return void response.writeHead(prank.status, prank.headers).end();
  let bytes = Buffer.from(all);
  if (prank && "spoilt" in prank) bytes = Buffer.from(all.map((b) => b ^ 1));
  if (prank && "length" in prank) bytes = Buffer.concat([bytes, Buffer.alloc(prank.length)]).subarray(0, prank.length);
  const [, start] = /^bytes=(\d+)-$/.exec(request.headers.range ?? "") ?? [];
  const from = Number(start ?? 0);
  const same = request.headers["if-range"] === undefined || request.headers["if-range"] === etag;
  const partial = start !== undefined && same && !(prank && "ignoresRange" in prank);
  if (partial && from >= bytes.length)
    return void response.writeHead(416, { "content-range": `bytes */${bytes.length}` }).end();
  const body = partial ? bytes.subarray(from) : bytes;
  response.writeHead(partial ? 206 : 200, {
    etag,
    "accept-ranges": "bytes",
    "content-length": body.length,
    ...(partial && { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` }),
  });
  if (request.method === "HEAD") return void response.end();
  if (prank && "cutAfter" in prank) {
    response.write(body.subarray(0, prank.cutAfter), () => setTimeout(() => response.destroy(), 5));
    return;
  }
  if (prank && "slow" in prank) return void slowly(response, body, prank.slow);
  response.end(body);
}

async function slowly(response: ServerResponse, body: Buffer, milliseconds: number): Promise<void> {
  const piece = Math.ceil(body.length / 10);
  for (let at = 0; at < body.length && !response.destroyed; at += piece) {
    response.write(body.subarray(at, at + piece));
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
  }
  response.end();
}

/** The address of a server that is no more. */
export async function closedAddress(): Promise<string> {
  const server = createServer();
  const address = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return address;
}
