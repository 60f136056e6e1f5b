import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  addedVariance,
  alphaBar,
  CLEAN,
  karrasSigma,
  levelOfAlphaBar,
  levelOfFlowSigma,
  levelOfKarrasSigma,
  noisier,
  sameLevel,
} from "../../src/sampling/index.js";

describe("noise levels", () => {
  it("are variance preserving from ᾱ and from a Karras sigma, and sum to one from a flow sigma", () => {
    expect(levelOfAlphaBar(3, 0.36)).toEqual({ t: 3, alpha: 0.6, sigma: 0.8 });
    // 1 / √(1 + (4/3)²) = 3/5.
    const karras = levelOfKarrasSigma(3, 4 / 3);
    expect([karras.alpha, karras.sigma]).toEqual([expect.closeTo(0.6, 14), expect.closeTo(0.8, 14)]);
    expect(levelOfFlowSigma(750, 0.75)).toEqual({ t: 750, alpha: 0.25, sigma: 0.75 });
    expect([levelOfAlphaBar(-1, 1), levelOfKarrasSigma(0, 0), levelOfFlowSigma(0, 0)]).toEqual([CLEAN, CLEAN, CLEAN]);
  });

  it("compare by signal-to-noise ratio, whatever their scale", () => {
    // α : σ = 1 : 3, so ᾱ = 1 / (1 + 9).
    const flow = levelOfFlowSigma(750, 0.75);
    const preserving = levelOfKarrasSigma(0, 3);
    expect(alphaBar(flow)).toBeCloseTo(0.1, 14);
    expect(alphaBar(preserving)).toBeCloseTo(0.1, 14);
    expect(karrasSigma(flow)).toBe(3);
    expect(sameLevel(flow, preserving)).toBe(false);
    const cleaner = levelOfKarrasSigma(0, 2.9);
    expect([noisier(flow, cleaner), noisier(cleaner, flow), noisier(flow, flow)]).toEqual([true, false, false]);
    expect([noisier(flow, CLEAN), noisier(CLEAN, flow)]).toEqual([true, false]);
  });

  it("are the same within float32, and no further", () => {
    const level = levelOfAlphaBar(500, 0.3);
    expect(sameLevel(level, levelOfAlphaBar(500, 0.3 * (1 + 1e-7)))).toBe(true);
    expect(sameLevel(level, levelOfAlphaBar(500, 0.3 * (1 + 1e-5)))).toBe(false);
  });
});

describe("addedVariance", () => {
  it("is σ_b² − (α_b / α_a)² σ_a²", () => {
    // 1 − 0.36 / 0.64.
    expect(addedVariance(levelOfAlphaBar(0, 0.64), levelOfAlphaBar(0, 0.36))).toBeCloseTo(0.4375, 14);
    // 0.75² − (0.25 / 0.75)² 0.25².
    expect(addedVariance(levelOfFlowSigma(0, 0.25), levelOfFlowSigma(0, 0.75))).toBeCloseTo(0.5625 - 0.0625 / 9, 14);
    expect(addedVariance(CLEAN, levelOfFlowSigma(0, 0.75))).toBe(0.5625);
  });

  it("is 1 − ᾱ_b / ᾱ_a for variance-preserving levels, also close ones, and 0 where nothing is added", () => {
    const ratios = fc.tuple(
      fc.double({ min: 1e-3, max: 0.999, noNaN: true }),
      fc.double({ min: 1e-3, max: 0.999, noNaN: true }),
    );
    fc.assert(
      fc.property(ratios, ([a, ratio]) => {
        const expected = 1 - ratio;
        const actual = addedVariance(levelOfAlphaBar(0, a), levelOfAlphaBar(0, a * ratio));
        expect(Math.abs(actual / expected - 1)).toBeLessThan(1e-11);
      }),
    );
    const level = levelOfAlphaBar(0, 0.3);
    expect([addedVariance(level, level), addedVariance(level, CLEAN)]).toEqual([0, 0]);
  });
});
