import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readFloats, safetensors } from "../../src/checkpoint/index.js";
import { openWeights, writeTensors } from "../../src/checkpoint/node/index.js";
import { FileError, VariegateError } from "../../src/errors.js";
import { float } from "../../src/tensor/index.js";
import { temporaryFolder } from "../support/folder.js";

const folder = temporaryFolder();
let serial = 0;
function write(bytes: Uint8Array | string): string {
  const file = path.join(folder, `${serial++}.safetensors`);
  writeFileSync(file, bytes);
  return file;
}

/** A file with this header and so many bytes after it. */
function withHeader(header: unknown, body = 0, length?: number): string {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(length ?? json.length));
  return write(Buffer.concat([size, json, Buffer.alloc(body)]));
}

const whole = safetensors(
  { a: float([2, 3], Float32Array.of(1, 2, 3, 4, 5, 6)), b: float([2], Float32Array.of(-1, 0.5)) },
  { made: "here" },
);

describe("safetensors", () => {
  it("reads back what it wrote", async () => {
    const { weights } = await openWeights(write(whole));
    const [a, b] = [weights.get("a"), weights.get("b")];
    if (!a || !b) throw new Error("tensors are missing");
    expect(a.shape).toEqual([2, 3]);
    expect([...(await readFloats(a))]).toEqual([1, 2, 3, 4, 5, 6]);
    expect([...(await readFloats(b))]).toEqual([-1, 0.5]);
  });

  it("reads half precisions", async () => {
    const header = {
      h: { dtype: "F16", shape: [3], data_offsets: [0, 6] },
      b: { dtype: "BF16", shape: [2], data_offsets: [6, 10] },
    };
    const json = Buffer.from(JSON.stringify(header));
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(json.length));
    // float16: 1, −2, 2^-24 (the smallest there is); bfloat16: 3, −0.5
    const body = Buffer.from(Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x4040, 0xbf00).buffer);
    const { weights } = await openWeights(write(Buffer.concat([size, json, body])));
    const [h, b] = [weights.get("h"), weights.get("b")];
    if (!h || !b) throw new Error("tensors are missing");
    expect([...(await readFloats(h))]).toEqual([1, -2, 2 ** -24]);
    expect([...(await readFloats(b))]).toEqual([3, -0.5]);
  });

  const entry = (dtype: string, shape: unknown, from: number, to: number) => ({
    dtype,
    shape,
    data_offsets: [from, to],
  });
  it.each<[string, string, RegExp]>([
    ["an empty file", write(""), /is empty: .*fetch it again/],
    ["a header longer than the file", withHeader("{}", 0, 5000), /header says 5000 bytes, the file has 2/],
    ["a header of absurd length", withHeader("{}", 0, 2 ** 50), /header says 1125899906842624 bytes/],
    ["a header that is not JSON", withHeader("{a", 4), /not a JSON object/],
    ["a header that is a list", withHeader("[1]", 4), /not a JSON object/],
    ["an unknown type", withHeader({ w: entry("F8_E4M3", [4], 0, 4) }, 4), /w is stored as F8_E4M3; known are F64/],
    ["a type named like a method", withHeader({ w: entry("toString", [4], 0, 4) }, 4), /w is stored as toString/],
    [
      "a shape that is not the bytes",
      withHeader({ w: entry("F32", [5], 0, 16) }, 16),
      /w is \[5\] F32, 20 bytes; its offsets hold 16/,
    ],
    ["offsets beyond the end", withHeader({ w: entry("F32", [4], 0, 16) }, 8), /is cut short: w ends at byte/],
    [
      "overlapping offsets",
      withHeader({ v: entry("F32", [2], 0, 8), w: entry("F32", [2], 4, 12) }, 12),
      /v and w overlap/,
    ],
    [
      "a negative shape",
      withHeader({ w: entry("F32", [-1], 0, 4) }, 4),
      /entry w is not dtype, shape and data_offsets/,
    ],
    ["a web page", write(`<!DOCTYPE html><html>${" ".repeat(100)}</html>`), /is a web page/],
    [
      "a Git LFS pointer",
      write("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"),
      /Git LFS pointer.*git lfs pull/,
    ],
    ["a zip", write("PK\u0003\u0004 and so on and on"), /no whole PyTorch zip file/],
  ])("refuses %s", async (_, file, message) => {
    const failure = await openWeights(file).catch((e: unknown) => e);
    expect(failure).toBeInstanceOf(VariegateError);
    expect(String(failure)).toMatch(message);
    expect(String(failure)).toContain(path.basename(file));
    expect(String(failure).split("\n").length).toBeLessThanOrEqual(2);
  });

  it("are written one tensor at a time as they would be at once, or not at all", async () => {
    const file = path.join(temporaryFolder(), "w.safetensors");
    const tensors = { a: float([2, 3], Float32Array.of(1, 2, 3, 4, 5, 6)), b: float([2], Float32Array.of(-1, 0.5)) };
    const lazy = Object.entries(tensors).map(([name, t]) => ({ name, shape: t.shape, read: async () => t }));
    await writeTensors(file, lazy);
    const written = readFileSync(file);
    expect(written.equals(safetensors(tensors, { format: "pt" }))).toBe(true);
    const broken = { name: "c", shape: [1], read: () => Promise.reject(new FileError("c", "is gone")) };
    await expect(writeTensors(file, [...lazy, broken])).rejects.toMatchObject({ file: "c" });
    expect(readFileSync(file).equals(written)).toBe(true);
    expect(readdirSync(path.dirname(file))).toEqual(["w.safetensors"]);
  });

  it("a damaged file gives its tensors or an error of ours, never another", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length), async (at, value, keep) => {
        const bytes = Uint8Array.from(whole);
        bytes[at] = value;
        const file = write(bytes.subarray(0, keep > whole.length / 2 ? whole.length : keep));
        try {
          for (const weight of (await openWeights(file)).weights.values())
            if (weight.dtype === "float32") await readFloats(weight);
        } catch (error) {
          expect(error).toBeInstanceOf(VariegateError);
        }
      }),
      { numRuns: 300 },
    );
  });
});
