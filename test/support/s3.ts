/** A real S3 server for tests: moto's, started on a free port, stopped when the test file is done. */
import { spawn, spawnSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { atEnd } from "./ending.js";
import { freePort } from "./redis.js";

const PROGRAM = process.env["VARIEGATE_MOTO"] ?? "moto_server";

/** Why tests with S3 are skipped; null where the server is installed. */
export const NO_S3: string | null =
  spawnSync(PROGRAM, ["--help"]).status === 0
    ? null
    : "moto_server is not installed (pip install 'moto[s3]' flask flask-cors; VARIEGATE_MOTO names it)";
if (NO_S3 !== null) process.stderr.write(`${NO_S3}: tests with S3 are skipped\n`);

/** Credentials as moto takes them: any. */
const KEYS = { AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test-secret" };

export interface S3Server {
  /** Environment in which programs use this server. */
  readonly env: Readonly<Record<string, string>>;
  /** Client of the test itself. */
  readonly client: S3Client;
}

/** Starts a server with one bucket. */
export async function startS3(bucket: string): Promise<S3Server> {
  const endpoint = `http://127.0.0.1:${await freePort()}`;
  const child = spawn(PROGRAM, ["-H", "127.0.0.1", "-p", new URL(endpoint).port], { stdio: "ignore" });
  atEnd(() => child.kill("SIGKILL"));
  for (let i = 0; ; i++) {
    if (await fetch(endpoint).catch(() => null)) break;
    if (i > 300) throw new Error(`${PROGRAM} does not answer at ${endpoint}`);
    await sleep(50);
  }
  const credentials = { accessKeyId: KEYS.AWS_ACCESS_KEY_ID, secretAccessKey: KEYS.AWS_SECRET_ACCESS_KEY };
  process.env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] = "true";
  const client = new S3Client({ endpoint, region: "us-east-1", forcePathStyle: true, credentials });
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  return { env: { ...KEYS, AWS_ENDPOINT_URL_S3: endpoint }, client };
}
