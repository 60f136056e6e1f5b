import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applyBias, applyDelta, type Delta } from "../../src/adapters/delta.js";
import { readAdapter } from "../../src/adapters/read.js";
import { count, createRng, type FloatTensor, float } from "../../src/tensor/index.js";
import { fileOf, layersWith, MATRIX_KINDS, matrixLayer, NORM_KINDS, normLayer } from "../support/adapters.js";

const farthest = (a: Float32Array, b: readonly number[]) =>
  a.reduce((w, v, i) => Math.max(w, Math.abs(v - (b[i] ?? Number.NaN))), 0);
const largest = (values: readonly number[]) => values.reduce((w, v) => Math.max(w, Math.abs(v)), 0);

describe("changes of a layer", () => {
  it.each([
    ...Object.entries(MATRIX_KINDS).map(([name, make]) => [name, make, matrixLayer] as const),
    ...Object.entries(NORM_KINDS).map(([name, make]) => [name, make, normLayer] as const),
  ])("%s: W + s (W′ − W) as its formula has it", (_, make, layer) => {
    fc.assert(
      fc.property(layer, fc.nat(9999), fc.constantFrom(-1, 0.3, 1), (shape, seed, scale) => {
        const made = make(shape, seed);
        const { targets } = readAdapter("file", fileOf(made.tensors), layersWith(shape));
        const rng = createRng(seed + 1);
        const [weight, bias] = [rng.randn(shape.weight), shape.bias && rng.randn(shape.bias)];
        const merged = (w: FloatTensor, apply: typeof applyDelta) =>
          targets.reduce((v, { delta }) => apply(delta, v, scale), w);

        const [, inputs = 1, ...kernel] = shape.weight;
        const taps = count(kernel);
        const before = (o: number, i: number, t: number) => weight.data[(o * inputs + i) * taps + t] ?? Number.NaN;
        const after = made.weight?.(before) ?? before;
        const expected = [...weight.data].map((w, n) => {
          const [o, i, t] = [Math.floor(n / taps / inputs), Math.floor(n / taps) % inputs, n % taps];
          return w + scale * (after(o, i, t) - w);
        });
        expect(farthest(merged(weight, applyDelta).data, expected)).toBeLessThan(1e-5 * (1 + largest(expected)));
        if (!bias) return;
        const moved = [...bias.data].map((b, n) => b + scale * (made.bias?.data[n] ?? 0));
        expect(farthest(merged(bias, applyBias).data, moved)).toBeLessThan(1e-6 * (1 + largest(moved)));
      }),
      { numRuns: 60 },
    );
  });

  it("keep a row of zeros under DoRA", () => {
    const delta: Delta = {
      kind: "low-rank",
      down: float([1, 2]),
      up: float([2, 1]),
      mid: null,
      alpha: null,
      magnitude: { axis: "output", lengths: float([2], Float32Array.of(10, 10)) },
    };
    // Row [3, 4] has length 5 and gets 10.
    expect([...applyDelta(delta, float([2, 2], Float32Array.of(3, 4, 0, 0)), 1).data]).toEqual([6, 8, 0, 0]);
  });

  it("are not made to a weight of another size", () => {
    const delta: Delta = { kind: "difference", weight: float([2, 3]), bias: null };
    expect(() => applyDelta(delta, float([2, 2]), 1)).toThrow(RangeError);
  });
});
