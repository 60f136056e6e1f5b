import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { betaSigmas, exponentialSigmas, karrasSigmas, linspace } from "../../src/sampling/sigmas.js";

describe("sigma spacings", () => {
  it("by hand", () => {
    // 81, 9 · 3, 9, 3, 1 are evenly spaced in the logarithm.
    expect(exponentialSigmas(81, 1, 5)).toEqual([81, 27, 9, 3, 1].map((sigma) => expect.closeTo(sigma, 10)));
    // Between 2^7 and 1 the seventh roots are 2, 1.5 and 1.
    expect(karrasSigmas(128, 1, 3)).toEqual([128, 1.5 ** 7, 1].map((sigma) => expect.closeTo(sigma, 10)));
    expect(linspace(1, 0, 5)).toEqual([1, 0.75, 0.5, 0.25, 0]);
    // scipy.stats.beta.ppf(0.75, 0.6, 0.6) and (0.25, …).
    expect(betaSigmas(1, 0, 5)).toEqual(
      [1, 0.824319621347305, 0.5, 0.17568037865269506, 0].map((q) => expect.closeTo(q, 13)),
    );
  });

  it.each([
    ["karras", karrasSigmas],
    ["exponential", exponentialSigmas],
    ["beta", betaSigmas],
  ])("%s decreases from max to min for any count", (_name, spacing) => {
    const range = fc.tuple(
      fc.double({ min: 0.2, max: 20, noNaN: true }),
      fc.double({ min: 1e-3, max: 0.9, noNaN: true }),
    );
    fc.assert(
      fc.property(range, fc.integer({ min: 2, max: 60 }), ([max, share], n) => {
        const sigmas = spacing(max, max * share, n);
        expect(sigmas).toHaveLength(n);
        expect(sigmas[0]).toBeCloseTo(max, 9);
        expect(sigmas[n - 1]).toBeCloseTo(max * share, 9);
        for (const [i, sigma] of sigmas.entries()) if (i > 0) expect(sigma).toBeLessThan(sigmas[i - 1] ?? 0);
      }),
    );
    expect(spacing(3, 1, 1)).toEqual([expect.closeTo(3, 12)]);
  });

  it("beta quantiles are symmetric", () => {
    const sigmas = betaSigmas(1, 0, 21);
    sigmas.forEach((sigma, i) => {
      expect(sigma + (sigmas[20 - i] ?? 0)).toBeCloseTo(1, 12);
    });
  });
});
