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
    [
      "float8 of another size",
      withHeader({ w: entry("F8_E4M3", [4], 0, 5) }, 5),
      /\[4\] F8_E4M3, 4 bytes; its offsets/,
    ],
    ["an unknown type outside the file", withHeader({ w: entry("F4", [4], 0, 2) }, 1), /cut short/],
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

describe("types of numbers", () => {
  it.each(["F4", "toString"])("that are not known, such as %s, are refused where the tensor is read", async (type) => {
    const header = {
      w: { dtype: type, shape: [4], data_offsets: [0, 2] },
      v: { dtype: "F32", shape: [1], data_offsets: [4, 8] },
    };
    const { weights } = await openWeights(withHeader(header, 8));
    const [w, v] = [weights.get("w"), weights.get("v")];
    if (!w || !v) throw new Error("tensors are missing");
    expect([...(await readFloats(v))]).toEqual([0]);
    await expect(readFloats(w)).rejects.toThrow(`w is stored as ${type}, which is not supported; save it as float16`);
  });

  /** A float8 tensor [256] of all bit patterns, with other tensors beside it. */
  async function float8(
    type: string,
    beside: Readonly<Record<string, { dtype: string; shape: number[]; bytes: number[] }>>,
  ) {
    const bytes = Array.from({ length: 256 }, (_, i) => i);
    const header: Record<string, unknown> = { "a.weight": { dtype: type, shape: [256], data_offsets: [0, 256] } };
    for (const [name, { dtype, shape, bytes: own }] of Object.entries(beside)) {
      header[name] = { dtype, shape, data_offsets: [bytes.length, bytes.length + own.length] };
      bytes.push(...own);
    }
    const json = Buffer.from(JSON.stringify(header));
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(json.length));
    const { weights } = await openWeights(write(Buffer.concat([size, json, Buffer.from(bytes)])));
    const weight = weights.get("a.weight");
    if (!weight) throw new Error("a.weight is missing");
    return { names: [...weights.keys()], weight, values: readFloats(weight) };
  }

  it("float8 has the values of its definition", async () => {
    const e4m3 = await (await float8("F8_E4M3", {})).values;
    expect([0x00, 0x01, 0x07, 0x08, 0x38, 0x3c, 0x7e, 0xb8, 0xfe].map((i) => e4m3[i])).toEqual([
      0,
      2 ** -9,
      7 * 2 ** -9,
      2 ** -6,
      1,
      1.5,
      448,
      -1,
      -448,
    ]);
    expect([e4m3[0x7f], e4m3[0xff]]).toEqual([Number.NaN, Number.NaN]);
    const e5m2 = await (await float8("F8_E5M2", {})).values;
    expect([0x00, 0x01, 0x3c, 0x3d, 0x7b, 0x7c, 0xbc].map((i) => e5m2[i])).toEqual([
      0,
      2 ** -16,
      1,
      1.25,
      57344,
      Number.POSITIVE_INFINITY,
      -1,
    ]);
  });

  it.each(["scale_weight", "weight_scale"])("float8 is multiplied by its %s, and marks are left out", async (key) => {
    const half = { dtype: "F32", shape: [1], bytes: [0, 0, 0, 63] };
    const { names, values } = await float8("F8_E4M3", {
      [`a.${key}`]: half,
      "a.scale_input": half,
      scaled_fp8: { dtype: "F8_E4M3", shape: [0], bytes: [] },
    });
    expect(names).toEqual(["a.weight"]);
    expect((await values)[0x38]).toBe(0.5);
  });

  it("float8 with a scale for each row is refused where it is read", async () => {
    const { values } = await float8("F8_E4M3", {
      "a.scale_weight": { dtype: "F32", shape: [2], bytes: new Array(8).fill(0) },
    });
    await expect(values).rejects.toThrow(/f8_e4m3 with scales \[2\], which is not supported/);
  });
});
