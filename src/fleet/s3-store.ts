/** The store in a bucket of S3, or of a server that has its interface. Uploads carry SHA-256 checksums, large ones go in parts. */
import type { S3Client } from "@aws-sdk/client-s3";
import { FileError, MachineError, reasonOf } from "../errors.js";
import { type S3Address, showAddress } from "./address.js";
import { optional } from "./optional.js";
import type { ObjectStore } from "./store.js";

const load = () =>
  optional("--store s3://…", ["@aws-sdk/client-s3", "@aws-sdk/lib-storage"], async () => {
    // The SDK prints a warning of several lines about Node 20, which it supports.
    process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] ??= "true";
    const [client, { Upload }] = await Promise.all([import("@aws-sdk/client-s3"), import("@aws-sdk/lib-storage")]);
    return { ...client, Upload };
  });

/** Bytes of a part. Smaller objects are sent in one request. */
const PART = 8 * 1024 * 1024;

const statusOf = (error: unknown): number => {
  const meta: unknown = typeof error === "object" && error !== null && "$metadata" in error ? error.$metadata : null;
  return typeof meta === "object" && meta !== null && "httpStatusCode" in meta ? Number(meta.httpStatusCode) : 0;
};
const nameOf = (error: unknown): string => (error instanceof Error ? error.name : "");

export async function s3Store(address: S3Address): Promise<ObjectStore> {
  const sdk = await load();
  const { bucket: Bucket, prefix } = address;
  const shown = showAddress(address);
  const env = process.env;
  // Servers of one's own have no subdomain for each bucket.
  const isOwn = Boolean(env["AWS_ENDPOINT_URL_S3"] ?? env["AWS_ENDPOINT_URL"]);
  const client: S3Client = new sdk.S3Client({
    ...(!env["AWS_REGION"] && !env["AWS_DEFAULT_REGION"] && isOwn && { region: "us-east-1" }),
    forcePathStyle: isOwn,
    requestChecksumCalculation: "WHEN_SUPPORTED",
    responseChecksumValidation: "WHEN_SUPPORTED",
  });

  const failed = (name: string, what: string) => (error: unknown) => {
    throw problem(error, `${shown}/${name}`, what);
  };

  async function upload(name: string, bytes: Uint8Array, once: boolean): Promise<void> {
    const params = {
      Bucket,
      Key: prefix + name,
      Body: bytes,
      ChecksumAlgorithm: sdk.ChecksumAlgorithm.SHA256,
      ...(once && { IfNoneMatch: "*" }),
    };
    await new sdk.Upload({ client, params, partSize: PART, queueSize: 2 }).done();
  }

  async function read(name: string): Promise<Uint8Array | null> {
    try {
      const get = new sdk.GetObjectCommand({ Bucket, Key: prefix + name, ChecksumMode: "ENABLED" });
      const { Body } = await client.send(get);
      return (await Body?.transformToByteArray()) ?? null;
    } catch (error) {
      if (nameOf(error) === "NoSuchKey") return null;
      return failed(name, "cannot be read")(error);
    }
  }

  return {
    address: shown,
    read,

    async add(name, bytes) {
      const put = (once: boolean) => upload(name, bytes, once);
      try {
        await put(true);
        return true;
      } catch (error) {
        if (statusOf(error) === 412) return false;
        // 409: another writer is at it. 501: a server without conditions, where the last of two equal results stays.
        if (![409, 501].includes(statusOf(error))) return failed(name, "cannot be written")(error);
        if ((await read(name)) !== null) return false;
        await put(false).catch(failed(name, "cannot be written"));
        return true;
      }
    },

    async list(start) {
      const names: string[] = [];
      const pages = sdk.paginateListObjectsV2({ client }, { Bucket, Prefix: prefix + start });
      try {
        for await (const { Contents = [] } of pages) {
          names.push(...Contents.flatMap(({ Key }) => (Key === undefined ? [] : [Key.slice(prefix.length)])));
        }
      } catch (error) {
        return failed(start, "cannot be listed")(error);
      }
      // S3 lists names in order.
      return names;
    },

    async close() {
      client.destroy();
    },
  };
}

/** What a failed request means, in one line. */
function problem(error: unknown, place: string, what: string): Error {
  const [name, status] = [nameOf(error), statusOf(error)];
  if (name === "CredentialsProviderError") {
    return new MachineError(
      `${place} ${what}: there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE`,
      { cause: error },
    );
  }
  if (reasonOf(error) === "Region is missing") {
    return new MachineError(`${place} ${what}: there is no region; set AWS_REGION`, { cause: error });
  }
  const advice: Readonly<Record<string, string>> = {
    NoSuchBucket: "the bucket does not exist",
    AccessDenied: "these credentials may not",
    InvalidAccessKeyId: "the access key is not known there",
    SignatureDoesNotMatch: "the secret key is not that of the access key",
  };
  const reason = advice[name] ?? reasonOf(error);
  return new FileError(place, `${what} (${status ? `${status} ${name}` : name}): ${reason}`, { cause: error });
}
