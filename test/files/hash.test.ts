import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { FileError } from "../../src/errors.js";
import { hashFile } from "../../src/files/index.js";
import { temporaryFolder } from "../support/folder.js";

const sha256 = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("hex");

describe("hashFile", () => {
  const folder = temporaryFolder();
  const at = (name: string) => path.join(folder, name);
  afterEach(() => vi.unstubAllEnvs());

  it("is the SHA-256 of the file, or of its end", async () => {
    writeFileSync(at("small"), "abc");
    expect(await hashFile(at("small"))).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect(await hashFile(at("small"), 1)).toBe(sha256("bc"));
  });

  it("caches the hash of a large file until the file changes", async () => {
    vi.stubEnv("XDG_CACHE_HOME", at("cache"));
    const bytes = 64 * 1024 ** 2;
    writeFileSync(at("large"), "start");
    truncateSync(at("large"), bytes);
    utimesSync(at("large"), 1, 1);
    const first = await hashFile(at("large"));
    expect(first).toBe(sha256(Buffer.concat([Buffer.from("start"), Buffer.alloc(bytes - 5)])));
    const cache = at("cache/variegate/hashes");
    const [entry = ""] = readdirSync(cache);
    writeFileSync(path.join(cache, entry), "f".repeat(64));
    expect(await hashFile(at("large"))).toBe("f".repeat(64));
    writeFileSync(path.join(cache, entry), "damaged");
    expect(await hashFile(at("large"))).toBe(first);
    utimesSync(at("large"), 2, 2);
    expect(await hashFile(at("large"))).toBe(first);
    expect(readdirSync(cache)).toHaveLength(2);
  });

  it("takes the hash of a Hub blob from its name, unless that is a Git hash", async () => {
    const blobs = at("models--o--n/blobs");
    mkdirSync(blobs, { recursive: true });
    const [lfs, git] = ["a".repeat(64), "b".repeat(40)];
    for (const name of [lfs, git]) writeFileSync(path.join(blobs, name), name);
    symlinkSync(path.join(blobs, lfs), at("lfs"));
    symlinkSync(path.join(blobs, git), at("git"));
    expect(await hashFile(at("lfs"))).toBe(lfs);
    expect(await hashFile(at("git"))).toBe(sha256(git));
  });

  it("names a file that cannot be read", async () => {
    await expect(hashFile(at("none"))).rejects.toThrow(FileError);
  });
});
