import { describe, expect, it } from "vitest";
import { formatEstimate, mean, quantile, within01 } from "../../src/metrics/index.js";

describe("formatEstimate", () => {
  const estimate = { mean: 0.51234, low: 0.4, high: 0.6, n: 3 };

  it.each([
    [estimate, "0.512 [0.400, 0.600]"],
    [{ ...estimate, low: null, high: null }, "0.512"],
    [{ ...estimate, mean: Number.NaN }, "–"],
    [null, "–"],
    [undefined, "–"],
  ])("writes %j as %s", (e, text) => {
    expect(formatEstimate(e)).toBe(text);
  });

  it("shows numbers as it is told", () => {
    expect(formatEstimate(estimate, (v) => `${Math.round(100 * v)} %`)).toBe("51 % [40 %, 60 %]");
  });
});

describe("quantile", () => {
  it("is the nearest of the values, NaN where there are none", () => {
    const values = [10, 20, 30, 40, 50];
    expect([0, 0.2, 0.5, 0.95, 1].map((q) => quantile(values, q))).toEqual([10, 20, 30, 50, 50]);
    expect(quantile([], 0.5)).toBeNaN();
  });
});

describe("mean", () => {
  it("is NaN of no values", () => {
    expect(mean([1, 2, 6])).toBe(3);
    expect(mean([])).toBeNaN();
  });
});

describe("within01", () => {
  it("ends the interval of a share at 0 and 1, and lets it hold the share", () => {
    expect(within01({ mean: 0.97, low: 0.93, high: 1.02, n: 9 })).toEqual({ mean: 0.97, low: 0.93, high: 1, n: 9 });
    expect(within01({ mean: 0.1, low: -0.2, high: 0.05, n: 9 })).toEqual({ mean: 0.1, low: 0, high: 0.1, n: 9 });
    expect(within01({ mean: 0.5, low: null, high: null, n: 1 })).toEqual({ mean: 0.5, low: null, high: null, n: 1 });
  });
});
