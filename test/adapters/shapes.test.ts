import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fitting } from "../../src/adapters/fit.js";
import { readAdapter } from "../../src/adapters/read.js";
import { AdapterShapeError, FileError } from "../../src/errors.js";
import { count, type FloatTensor, float } from "../../src/tensor/index.js";
import { fileOf, layersWith, MATRIX_KINDS, matrixLayer, NORM_KINDS, normLayer } from "../support/adapters.js";

type Tensors = ReadonlyMap<string, FloatTensor>;

/** Ones at the end, beyond two axes, do not count. */
function trimmed(shape: readonly number[]): string {
  const kept = [...shape];
  while (kept.length > 2 && kept.at(-1) === 1) kept.pop();
  return kept.join();
}

/** Ways of getting a shape wrong. */
const CHANGES: readonly ((shape: readonly number[], axis: number) => readonly number[])[] = [
  (shape, axis) => shape.map((n, a) => (a === axis % shape.length ? n + 1 : n)),
  (shape, axis) => shape.map((n, a) => (a === axis % shape.length ? n - 1 : n)),
  (shape, axis) => shape.map((n, a) => (a === axis % shape.length ? 2 * n : n)),
  // The same number of values in another order.
  ([first = 1, second = 1, ...rest]) => [second, first, ...rest],
  (shape) => [count(shape)],
  (shape) => [1, ...shape],
  (shape) => [...shape, 2],
];

/** Another shape of one tensor; null where it says the same. PEFT's lengths and alpha have two forms. */
function changed(tensors: Tensors, n: number, change: number, axis: number): [string, Map<string, FloatTensor>] | null {
  const [key, { shape }] = [...tensors][n % tensors.size] ?? ["", float([])];
  const wrong = CHANGES[change % CHANGES.length]?.(shape, axis) ?? shape;
  const twoForms = /alpha$|lora_magnitude_vector$|dora_scale$/.test(key);
  if (trimmed(wrong) === trimmed(shape) || (twoForms && count(wrong) === count(shape))) return null;
  return [key, new Map(tensors).set(key, float(wrong, new Float32Array(count(wrong)).fill(0.5)))];
}

const mutation = fc.record({ seed: fc.nat(9999), n: fc.nat(20), change: fc.nat(20), axis: fc.nat(3) });

describe("shapes of an adapter's tensors", () => {
  it.each([
    ...Object.entries(MATRIX_KINDS).map(([name, make]) => [name, make, matrixLayer] as const),
    ...Object.entries(NORM_KINDS).map(([name, make]) => [name, make, normLayer] as const),
  ])("%s: right ones pass, wrong ones are refused before anything is computed", (_, make, layer) => {
    fc.assert(
      fc.property(layer, mutation, (shape, { seed, n, change, axis }) => {
        const layers = layersWith(shape);
        const tensors = fileOf(make(shape, seed).tensors);
        expect(readAdapter("file", tensors, layers).unmatched).toEqual([]);
        const shapesOf = (some: Tensors) => new Map([...some].map(([key, t]) => [key, t.shape]));
        expect(fitting(layers)(shapesOf(tensors))).toMatchObject({ fits: true, wrong: null });
        const mutated = changed(tensors, n, change, axis);
        fc.pre(mutated !== null);
        const [, wrong] = mutated;
        expect(() => readAdapter("file", wrong, layers)).toThrow(AdapterShapeError);
        expect(fitting(layers)(shapesOf(wrong)).fits).toBe(false);
      }),
      { numRuns: 120 },
    );
  });

  const inParts = Object.entries(MATRIX_KINDS).filter(([name]) => !/^(difference|replacement)/.test(name));
  it.each(inParts)("%s: no tensor may be missing", (_, make) => {
    const optional = /\.alpha$|\.diff$|\.diff_b$|\.dora_scale$|\.lora_magnitude_vector$|\.lokr_t2$|_mid\.weight$/;
    fc.assert(
      fc.property(matrixLayer, mutation, (shape, { seed, n }) => {
        const tensors = fileOf(make(shape, seed).tensors);
        const [key = ""] = [...tensors.keys()].filter((k) => !optional.test(k)).slice(n % 4);
        fc.pre(key !== "");
        tensors.delete(key);
        expect(() => readAdapter("file", tensors, layersWith(shape))).toThrow(FileError);
      }),
      { numRuns: 20 },
    );
  });

  const layers = layersWith({ weight: [6, 4], bias: [6] });
  const ones = (...shape: number[]) => float(shape, new Float32Array(count(shape)).fill(1));
  it.each<[string, string, readonly (number | string)[], Record<string, FloatTensor>]>([
    [
      "LoRA's down",
      ".lora_down.weight",
      ["rank", 4],
      { ".lora_down.weight": ones(2, 5), ".lora_up.weight": ones(6, 2) },
    ],
    ["LoRA's up", ".lora_up.weight", [6, 2], { ".lora_down.weight": ones(2, 4), ".lora_up.weight": ones(6, 3) }],
    [
      "LoHa's second factor",
      ".hada_w2_a",
      [6, 2],
      { ".hada_w1_a": ones(6, 2), ".hada_w1_b": ones(2, 4), ".hada_w2_a": ones(2, 2), ".hada_w2_b": ones(2, 2) },
    ],
    [
      "LoKr's factors, of as many values",
      ".lokr_w1",
      ["divisor of 6", "divisor of 4"],
      { ".lokr_w1": ones(4, 2), ".lokr_w2": ones(3, 1) },
    ],
    [
      "DoRA's lengths",
      ".dora_scale",
      [6, 1],
      { ".lora_down.weight": ones(2, 4), ".lora_up.weight": ones(6, 2), ".dora_scale": ones(3, 1) },
    ],
    ["a difference, transposed", ".diff", [6, 4], { ".diff": ones(4, 6) }],
    ["a bias", ".diff_b", [6], { ".diff_b": ones(4) }],
    ["rank 0", ".lora_down.weight", ["rank", 4], { ".lora_down.weight": ones(0, 4), ".lora_up.weight": ones(6, 0) }],
  ])("name the tensor, what was expected and what is there: %s", (_, end, expected, tensors) => {
    const read = () => readAdapter("some.safetensors", fileOf(tensors), layers);
    const actual = tensors[end]?.shape;
    const key = [...fileOf(tensors).keys()].find((k) => k.endsWith(end));
    expect(read).toThrow(
      expect.objectContaining({ file: "some.safetensors", tensor: key, layer: "conv_in", expected, actual }),
    );
  });

  it("message", () => {
    const wrong = fileOf({ ".lora_down.weight": ones(2, 5), ".lora_up.weight": ones(6, 2) });
    expect(() => readAdapter("some.safetensors", wrong, layers)).toThrow(
      "some.safetensors: lora_unet_conv_in.lora_down.weight is [2, 5]; conv_in asks for [rank, 4]",
    );
  });
});
