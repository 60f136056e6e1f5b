import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import path from "node:path";
import { HeadObjectCommand } from "@aws-sdk/client-s3";
import { describe, expect, it, vi } from "vitest";
import { FileError, RequestError } from "../../src/errors.js";
import { openStore } from "../../src/fleet/index.js";
import { temporaryFolder } from "../support/folder.js";
import { NO_S3, startS3 } from "../support/s3.js";

const server = NO_S3 === null ? startS3("bucket") : null;
const text = (value: string) => new Uint8Array(Buffer.from(value));
const textOf = (bytes: Uint8Array | null) => bytes && Buffer.from(bytes).toString();

const KINDS: readonly (readonly [string, string | null, () => Promise<string>])[] = [
  ["in a folder", null, async () => path.join(temporaryFolder(), "new", "store")],
  [
    "in a bucket",
    NO_S3,
    async () => {
      for (const [name, value] of Object.entries((await server)?.env ?? {})) vi.stubEnv(name, value);
      return `s3://bucket/some/${randomBytes(3).toString("hex")}`;
    },
  ],
];

describe.each(KINDS)("a store %s", (_, missing, start) => {
  const address = missing === null ? start() : Promise.resolve("");

  it.skipIf(missing)("keeps the first of several objects of one name, whole", async () => {
    const [a, b] = [await openStore(await address), await openStore(await address)];
    expect(await a.read("cells/one.json")).toBeNull();
    const values = Array.from({ length: 8 }, (_, i) => `value ${i}`);
    const added = await Promise.all(values.map((value, i) => (i % 2 ? a : b).add("cells/one.json", text(value))));
    expect(added.filter(Boolean)).toHaveLength(1);
    expect(textOf(await b.read("cells/one.json"))).toBe(values[added.indexOf(true)]);
    expect(await a.add("cells/one.json", text("late"))).toBe(false);
    expect(textOf(await b.read("cells/one.json"))).toBe(values[added.indexOf(true)]);
  });

  it.skipIf(missing)("lists names by their beginning", async () => {
    const store = await openStore(await address);
    expect(await store.list("list/")).toEqual([]);
    for (const name of ["list/b c.json", "list/a.json", "lists/other.json"]) await store.add(name, text(name));
    expect(await store.list("list/")).toEqual(["list/a.json", "list/b c.json"]);
  });

  it.skipIf(missing)("keeps objects of many megabytes, byte for byte", async () => {
    const store = await openStore(await address);
    // More than two parts of 8 MB.
    const bytes = new Uint8Array(randomBytes(19 * 1024 * 1024));
    expect(await store.add("large.bin", bytes)).toBe(true);
    expect(Buffer.compare((await store.read("large.bin")) ?? new Uint8Array(), bytes)).toBe(0);
    expect(await store.add("large.bin", text("small"))).toBe(false);
  });
});

describe("a store in a bucket", () => {
  it.skipIf(NO_S3)("sends objects with SHA-256 checksums, large ones in parts", async () => {
    const address = "s3://bucket/sums";
    for (const [name, value] of Object.entries((await server)?.env ?? {})) vi.stubEnv(name, value);
    const store = await openStore(address);
    await store.add("small", text("abc"));
    await store.add("large", new Uint8Array(17 * 1024 * 1024));
    const head = (Key: string) =>
      server?.then((s) => s.client.send(new HeadObjectCommand({ Bucket: "bucket", Key, ChecksumMode: "ENABLED" })));
    // echo -n abc | openssl dgst -sha256 -binary | base64
    expect((await head("sums/small"))?.ChecksumSHA256).toBe("ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
    // The tag of an object in parts ends with their number.
    expect((await head("sums/large"))?.ETag).toMatch(/-3"$/);
  });

  it.skipIf(NO_S3)("refuses an object that was changed on its way", async () => {
    const env = (await server)?.env ?? {};
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    const proxy = createServer(async ({ url, headers }, answer) => {
      const passed = await fetch(`${env["AWS_ENDPOINT_URL_S3"]}${url}`, {
        headers: Object.entries(headers).flatMap(([k, v]) =>
          typeof v === "string" && k !== "connection" ? [[k, v]] : [],
        ),
      });
      const changed = (await passed.text()).replace("abc", "abd");
      answer.writeHead(passed.status, Object.fromEntries(passed.headers)).end(changed);
    }).listen(0, "127.0.0.1");
    await once(proxy, "listening");
    const direct = await openStore("s3://bucket/changed");
    await direct.add("x", text("abc"));
    expect(textOf(await direct.read("x"))).toBe("abc");
    const address = proxy.address();
    vi.stubEnv("AWS_ENDPOINT_URL_S3", `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`);
    const store = await openStore("s3://bucket/changed");
    await expect(store.read("x")).rejects.toThrow(/s3:\/\/bucket\/changed\/x: cannot be read .*[Cc]hecksum/);
    proxy.close();
  });

  it.skipIf(NO_S3)("says in one line why it cannot be used", async () => {
    for (const [name, value] of Object.entries((await server)?.env ?? {})) vi.stubEnv(name, value);
    const nowhere = await openStore("s3://no-such-bucket/x");
    await expect(nowhere.add("a", text("a"))).rejects.toThrow(
      "s3://no-such-bucket/x/a: cannot be written (404 NoSuchBucket): the bucket does not exist",
    );
    vi.stubEnv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9");
    const silent = await openStore("s3://bucket");
    await expect(silent.add("a", text("a"))).rejects.toThrow(/s3:\/\/bucket\/a: cannot be written .*ECONNREFUSED/);
  });
});

it("a store in a folder says in one line why it cannot be used", async () => {
  const file = path.join(temporaryFolder(), "file");
  writeFileSync(file, "");
  const store = await openStore(path.join(file, "store"));
  const attempt = store.add("a", text("a"));
  await expect(attempt).rejects.toThrow(FileError);
  await expect(attempt).rejects.toThrow(/file is not a folder.*choose another --store/);
});

it("a bucket without a region is refused with the variable that names one", async () => {
  for (const name of ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_PROFILE"])
    vi.stubEnv(name, undefined);
  for (const name of ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
    vi.stubEnv(name, path.join(temporaryFolder(), "none"));
  const store = await openStore("s3://bucket/prefix");
  await expect(store.read("a")).rejects.toThrow(
    "s3://bucket/prefix/a cannot be read: there is no region; set AWS_REGION",
  );
});

it.each([
  ["ftp://host/x", "expected s3://bucket[/prefix] or a folder"],
  ["s3://", "expected s3://bucket[/prefix] or a folder"],
  ["s3://key:secret@bucket/x", "credentials come from the environment"],
])("%s is no store", async (address, message) => {
  const error = await openStore(address).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(RequestError);
  expect(String(error)).toContain(message);
  expect(String(error)).not.toContain("secret");
});
