import { writeFileSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { readFloats } from "../../src/checkpoint/index.js";
import { openWeights } from "../../src/checkpoint/node/index.js";
import { FileError } from "../../src/errors.js";
import { BLOCKS, count, storedAs, storedBytes, valuesFrom } from "../../src/tensor/index.js";
import { temporaryFolder } from "../support/folder.js";
import { type GgufFacts, type GgufTensor, ggufFile } from "../support/gguf.js";
import { description, tensors } from "../support/parity.js";

const root = temporaryFolder();
const written = (name: string, bytes: Uint8Array) => {
  const file = path.join(root, `${name}.gguf`);
  writeFileSync(file, bytes);
  return file;
};

const golden = description("gguf", z.object({ types: z.record(z.string(), z.string()) }));
const recorded = await tensors("gguf");
const every = written("every", recorded.bytes("file"));
const WORDS: Readonly<Record<string, string>> = { f16: "float16", f32: "float32", bf16: "bfloat16" };

describe("a GGUF file of the gguf package", () => {
  it.each(Object.entries(golden.types))("gives %s as it does, to the bit", async (name, type) => {
    const { weights } = await openWeights(every);
    const weight = weights.get(name);
    if (!weight) throw new Error(`${name} is not read`);
    expect(storedAs(weight)).toBe(WORDS[type] ?? type);
    const { shape, data } = recorded.float(name);
    expect(weight.shape).toEqual(shape);
    expect(new Uint32Array((await readFloats(weight)).buffer)).toEqual(new Uint32Array(data.slice().buffer));
  });

  it("holds every block format that is named", () => {
    const stored = new Set(Object.values(golden.types));
    const named = Object.keys(BLOCKS).filter((format) => !format.startsWith("f8_"));
    expect(named.filter((format) => !stored.has(format))).toEqual([]);
  });

  it.each([
    ["random.Q4_K", 256, 512],
    ["random.Q6_K", 100, 300],
    ["normal.Q4_0", 31, 34],
    ["normal.F16", 7, 600],
  ])("gives the values of %s from %i to %i in place", async (name, from, to) => {
    const weight = (await openWeights(every)).weights.get(name);
    if (!weight) throw new Error(`${name} is not read`);
    const part = { ...weight, shape: [to - from], bytes: valuesFrom(weight, from, to - from) };
    // A part of the part lies where it should, too.
    const inner = { ...part, shape: [2], bytes: valuesFrom(part, 1, 2) };
    const { data } = recorded.float(name);
    expect([...(await readFloats(part))]).toEqual([...data.slice(from, to)]);
    expect([...(await readFloats(inner))]).toEqual([...data.slice(from + 1, from + 3)]);
  });
});

describe("a bad GGUF file", () => {
  const plain: GgufTensor = { name: "a.weight", shape: [2, 32], type: 8, bytes: new Uint8Array(68) };
  const file = (facts: Partial<GgufFacts>) => ggufFile({ tensors: [plain], ...facts });
  const whole = file({});
  const tiny = (bytes: string) => Buffer.from(bytes.padEnd(64));

  it("would be read if it were good", async () => {
    expect((await openWeights(written("good", whole))).weights.get("a.weight")?.shape).toEqual([2, 32]);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ["is empty", new Uint8Array(), /is empty: .*fetch it again/],
    ["is something else", tiny("something"), /is no GGUF file/],
    ["is a web page", tiny("<!doctype html>"), /is a web page, not weights/],
    ["is a Git LFS pointer", tiny("version https://git-lfs.github.com/spec/v1"), /is a Git LFS pointer/],
    ["is of version 1", file({ version: 1 }), /is GGUF version 1; versions 2 and 3 are read/],
    ["is of a version to come", file({ version: 4 }), /is GGUF version 4/],
    ["comes from a big-endian machine", file({ version: 0x03000000 }), /big-endian/],
    [
      "says it has 2⁶³ tensors",
      file({ claims: { tensors: 1n << 63n } }),
      /has the number 9223372036854776000 at byte 8/,
    ],
    ["says it has a billion tensors", file({ claims: { tensors: 1_000_000_000n } }), /no model has over 65536/],
    ["says it has a billion values", file({ claims: { values: 1_000_000_000n } }), /values about the model; no model/],
    ["says it has more tensors than it has", file({ claims: { tensors: 3n } }), /cut short|is broken|stored as ggml's/],
    ["has a type nobody knows", file({ tensors: [{ ...plain, type: 99 }] }), /a\.weight is stored as ggml's type 99/],
    ["has a head of 20 bytes", whole.subarray(0, 20), /is cut short/],
    [
      "says it has more tensors than its bytes could",
      file({ claims: { tensors: 60_000n } }),
      /is cut short: 60000 tensors/,
    ],
    [
      "says it has more values than its bytes could",
      file({ claims: { values: 60_000n } }),
      /is cut short: .* 60000 values/,
    ],
    ["has a tensor without values", file({ claims: { dimensions: [32n, 0n] } }), /a\.weight is \[0, 32\]/],
    ["has a long dimension times none", file({ claims: { dimensions: [1n << 40n, 0n] } }), /a\.weight is \[0, 1099/],
    ["has a dimension above 2³¹", file({ claims: { dimensions: [1n << 31n] } }), /a\.weight is \[2147483648\]/],
    [
      "gives an original shape below zero",
      file({ metadata: { "comfy.gguf.orig_shape.a.weight": [-2, -32] } }),
      /its original shape \[-2, -32\]/,
    ],
    ["has five dimensions", file({ claims: { dimensions: [32n, 2n, 1n, 1n, 1n] } }), /has 5 dimensions/],
    ["has rows that break its blocks", file({ claims: { dimensions: [33n, 2n] } }), /blocks hold 32 values of one row/],
    [
      "has more values than numbers go",
      file({ claims: { dimensions: [(1n << 31n) - 32n, 1n << 30n] } }),
      /no file holds so/,
    ],
    ["has tensors beyond its end", file({ claims: { dimensions: [1n << 20n, 1n << 20n] } }), /is cut short: a\.weight/],
    ["has an offset beyond its end", file({ claims: { offsets: [1n << 40n] } }), /is cut short: a\.weight ends at/],
    ["has two tensors of one name", file({ tensors: [plain, plain] }), /two tensors called a\.weight/],
    [
      "has tensors that share their bytes",
      file({ tensors: [plain, { ...plain, name: "b.weight" }], claims: { offsets: [0n, 32n] } }),
      /a\.weight and b\.weight overlap/,
    ],
    [
      "gives an original shape of another size",
      file({ metadata: { "comfy.gguf.orig_shape.a.weight": [2, 33] } }),
      /its original shape \[2, 33\]/,
    ],
    ["is FLUX", file({ metadata: { "general.architecture": "flux" } }), /is FLUX \(general\.architecture\); Stable Di/],
    ["is a language model", file({ metadata: { "general.architecture": "llama" } }), /of the architecture "llama"/],
  ])("that %s is refused with why", async (_, bytes, message) => {
    await expect(openWeights(written("bad", bytes))).rejects.toThrow(message);
  });

  it("that ends anywhere is refused, never half read", async () => {
    for (let length = 0; length < whole.length - 28; length += 3) {
      await expect(openWeights(written("cut", whole.subarray(0, length)))).rejects.toThrow(
        /cut short|is no GGUF file|is empty/,
      );
    }
  });

  const dimension = fc.oneof(
    fc.bigInt({ min: 0n, max: 64n }),
    fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
    fc.constantFrom(0n, 32n, 1n << 31n, (1n << 31n) - 1n, 1n << 53n),
  );
  it("of any dimensions and offset is refused, or its tensor lies in it", async () => {
    const claims = fc.record({
      dimensions: fc.array(dimension, { maxLength: 6 }),
      offsets: fc.tuple(fc.oneof(fc.constant(0n), dimension)),
    });
    await fc.assert(fc.asyncProperty(claims, fc.constantFrom(0, 1, 8, 12, 28), stands));
  });

  it("with a byte of its head changed is refused, or its tensor lies in it", async () => {
    const kinds = [fc.integer({ min: 0, max: whole.length - 69 }), fc.integer({ min: 0, max: 255 })] as const;
    await fc.assert(fc.asyncProperty(...kinds, async (at, byte) => lies(whole.map((b, i) => (i === at ? byte : b)))));
  });

  const stands = (claims: NonNullable<GgufFacts["claims"]>, type: number) =>
    lies(file({ tensors: [{ ...plain, type }], claims }));

  /** Every tensor has values, all of them in the file; or the file is refused. */
  async function lies(bytes: Uint8Array): Promise<void> {
    const found = await openWeights(written("hostile", bytes)).catch((error: unknown) => error);
    if (found instanceof Error) {
      expect(found).toBeInstanceOf(FileError);
      return;
    }
    const { weights } = await openWeights(written("hostile", bytes));
    for (const weight of weights.values()) {
      expect(Math.min(1, ...weight.shape)).toBe(1);
      expect((await readFloats(weight)).length).toBe(count(weight.shape));
      expect(storedBytes(weight)).toBeLessThan(bytes.length);
    }
  }
});
