import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { verdictOf } from "../../src/experiments/verdict.js";

const e = (mean: number, low: number | null, high: number | null) => ({ mean, low, high, n: 9 });

describe("verdicts on a ratio", () => {
  it.each([
    ["more", e(1.2, 1.1, 1.3), "agrees"],
    ["more", e(1.2, 0.9, 1.5), "leans that way"],
    ["more", e(0.9, 0.7, 1.1), "leans the other way"],
    ["more", e(0.8, 0.7, 0.9), "does not agree"],
    ["less", e(0.8, 0.7, 0.9), "agrees"],
    ["less", e(1.1, 0.9, 1.2), "leans the other way"],
    // Without an interval there is no certainty, however large the ratio.
    ["more", e(1.0001, null, null), "leans that way"],
    ["more", e(7, null, null), "leans that way"],
    ["less", e(0.8, null, null), "leans that way"],
    ["less", e(1.2, null, null), "leans the other way"],
    ["at least as much", e(1.5, null, null), "leans that way"],
    ["at least as much", e(0.9, null, null), "leans the other way"],
    ["as much", e(1, null, null), "leans that way"],
    ["as much", e(1.06, null, null), "leans the other way"],
    // Equivalence: the whole interval within 5 % of 1.
    ["as much", e(1.02, 0.96, 1.04), "agrees"],
    ["as much", e(1.04, 1.02, 1.06), "leans that way"],
    ["as much", e(1.043, 0.992, 1.119), "leans that way"],
    ["as much", e(1, 0.2, 5), "leans that way"],
    ["as much", e(1.1, 0.9, 1.3), "leans the other way"],
    ["as much", e(1.1, 1.06, 1.2), "does not agree"],
    ["as much", e(0.9, 0.85, 0.94), "does not agree"],
    ["at least as much", e(1.5, 1.2, 1.9), "agrees"],
    ["at least as much", e(0.97, 0.96, 0.99), "agrees"],
    ["at least as much", e(0.97, 0.9, 1.1), "leans that way"],
    ["at least as much", e(0.8, 0.7, 0.9), "does not agree"],
    ["more", null, "not measured"],
    ["more", e(Number.POSITIVE_INFINITY, null, null), "not measured"],
    ["as much", e(Number.NaN, null, null), "not measured"],
  ] as const)("%s, %o: %s", (is, estimate, verdict) => {
    expect(verdictOf(is, estimate, 1)).toBe(verdict);
  });

  it.each([
    ["more", e(0.2, 0.1, 0.3), "agrees"],
    ["more", e(0.2, -0.1, 0.3), "leans that way"],
    ["less", e(0.2, 0.1, 0.3), "does not agree"],
  ] as const)("a number alone is compared with 0: %s, %o: %s", (is, estimate, verdict) => {
    expect(verdictOf(is, estimate, 0)).toBe(verdict);
  });

  const claims = fc.constantFrom("more", "less", "as much", "at least as much");
  const ratio = fc.double({ min: 0, max: 3, noNaN: true });

  it("only lean without an interval", () => {
    fc.assert(
      fc.property(claims, ratio, (is, mean) => {
        expect(verdictOf(is, e(mean, null, null), 1)).toMatch(/^leans/);
      }),
    );
  });

  it("are the same or weaker for a wider interval", () => {
    const sure = ["agrees", "does not agree"];
    fc.assert(
      fc.property(claims, ratio, ratio, ratio, ratio, (is, mean, a, b, wider) => {
        const [low, high] = [Math.min(mean, a, b), Math.max(mean, a, b)];
        const verdict = verdictOf(is, e(mean, low - wider, high + wider), 1);
        if (sure.includes(verdict)) expect(verdictOf(is, e(mean, low, high), 1)).toBe(verdict);
      }),
    );
  });
});
