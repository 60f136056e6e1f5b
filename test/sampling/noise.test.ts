import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  addNoise,
  alphaBar,
  levelOfAlphaBar,
  levelOfFlowSigma,
  type NoiseLevel,
  renoise,
} from "../../src/sampling/index.js";
import { createRng, type FloatTensor, float } from "../../src/tensor/index.js";

const pair = (a: number, b: number): FloatTensor => float([1, 1, 2, 1], Float32Array.of(a, b));

describe("addNoise", () => {
  it("is α x0 + σ ε", () => {
    // 0.6 · 2 + 0.8 · 3, 0.6 · −1 + 0.8 · 5; 0.25 · 2 + 0.75 · 3, 0.25 · −1 + 0.75 · 5.
    const [x0, eps] = [pair(2, -1), pair(3, 5)];
    for (const [level, a, b] of [
      [levelOfAlphaBar(0, 0.36), 3.6, 3.4],
      [levelOfFlowSigma(0, 0.75), 2.75, 3.5],
    ] as const) {
      const xt = addNoise(x0, eps, level);
      expect(xt.shape).toEqual([1, 1, 2, 1]);
      expect([...xt.data]).toEqual([expect.closeTo(a, 6), expect.closeTo(b, 6)]);
    }
  });
});

describe("renoise", () => {
  /** Any two levels of either kind, the noisier second. */
  const level: fc.Arbitrary<NoiseLevel> = fc
    .tuple(fc.boolean(), fc.double({ min: 0.01, max: 0.99, noNaN: true }))
    .map(([flow, x]) => (flow ? levelOfFlowSigma(1000 * x, x) : levelOfAlphaBar(0, x)));
  const levels = fc.tuple(level, level).filter(([a, b]) => alphaBar(a) > alphaBar(b));

  it("gives the weights of x0 and the variance of the level it goes to", () => {
    fc.assert(
      fc.property(levels, ([a, b]) => {
        // Weight of x_a from z = 0, weight of z from x_a = 0.
        const kept = renoise(pair(1, 0), pair(0, 0), a, b).data[0] ?? 0;
        const fresh = renoise(pair(0, 0), pair(0, 1), a, b).data[1] ?? 0;
        expect(fresh).toBeGreaterThanOrEqual(0);
        expect(kept * a.alpha).toBeCloseTo(b.alpha, 5);
        expect((kept * a.sigma) ** 2 + fresh ** 2).toBeCloseTo(b.sigma ** 2, 5);
      }),
    );
  });

  it("equals the forward process from x0 in distribution", () => {
    const n = [1, 4, 100, 110];
    const [x0, eps, z] = [createRng(1).randn(n), createRng(2).randn(n), createRng(3).randn(n)];
    const [a, b] = [levelOfFlowSigma(300, 0.3), levelOfFlowSigma(700, 0.7)];
    const xb = renoise(addNoise(x0, eps, a), z, a, b);
    // What is left without x0 is noise of variance σ_b², independent of x0.
    const rest = xb.data.map((v, i) => v - b.alpha * (x0.data[i] ?? 0));
    const mean = (f: (v: number, i: number) => number) => rest.reduce((sum, v, i) => sum + f(v, i), 0) / rest.length;
    expect(mean((v) => v * v)).toBeCloseTo(0.49, 2);
    expect(mean((v, i) => v * (x0.data[i] ?? 0))).toBeCloseTo(0, 1);
  });
});
