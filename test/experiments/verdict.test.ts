import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countsOf, verdictOf } from "../../src/experiments/verdict.js";

const e = (mean: number, low: number | null, high: number | null) => ({ mean, low, high, n: 9 });

describe("verdicts on a ratio", () => {
  it.each([
    // The whole interval on one side.
    ["more", e(1.2, 1.1, 1.3), "agrees"],
    ["more", e(1.2, 0.9, 1.5), "undecided"],
    ["more", e(0.9, 0.7, 1.1), "undecided"],
    ["more", e(0.8, 0.7, 0.9), "disagrees"],
    ["less", e(0.8, 0.7, 0.9), "agrees"],
    ["less", e(1.1, 0.9, 1.2), "undecided"],
    ["less", e(1.1, 1.01, 1.2), "disagrees"],
    // Equivalence: the whole interval within 5 % of 1.
    ["as much", e(1.02, 0.96, 1.04), "agrees"],
    ["as much", e(1.04, 1.02, 1.06), "undecided"],
    ["as much", e(1.043, 0.992, 1.119), "undecided"],
    ["as much", e(1, 0.2, 5), "undecided"],
    ["as much", e(1.1, 1.06, 1.2), "disagrees"],
    ["as much", e(0.9, 0.85, 0.94), "disagrees"],
    // Non-inferiority at 5 %.
    ["at least as much", e(1.5, 1.2, 1.9), "agrees"],
    ["at least as much", e(0.97, 0.96, 0.99), "agrees"],
    ["at least as much", e(0.97, 0.9, 1.1), "undecided"],
    ["at least as much", e(0.8, 0.7, 0.9), "disagrees"],
    // No interval, no verdict, however large the ratio.
    ["more", e(7, null, null), "not tested"],
    ["as much", e(1, null, null), "not tested"],
    ["more", null, "not tested"],
    ["more", e(Number.NaN, null, null), "not tested"],
  ] as const)("%s, %o: %s", (is, estimate, verdict) => {
    expect(verdictOf(is, estimate, 1)).toBe(verdict);
  });

  it.each([
    ["more", e(0.2, 0.1, 0.3), "agrees"],
    ["more", e(0.2, -0.1, 0.3), "undecided"],
    ["less", e(0.2, 0.1, 0.3), "disagrees"],
  ] as const)("a number alone is compared with 0: %s, %o: %s", (is, estimate, verdict) => {
    expect(verdictOf(is, estimate, 0)).toBe(verdict);
  });

  const claims = fc.constantFrom("more", "less", "as much", "at least as much");
  const ratio = fc.double({ min: 0, max: 3, noNaN: true });

  it("are the same or weaker for a wider interval", () => {
    const sure = ["agrees", "disagrees"];
    fc.assert(
      fc.property(claims, ratio, ratio, ratio, ratio, (is, mean, a, b, wider) => {
        const [low, high] = [Math.min(mean, a, b), Math.max(mean, a, b)];
        const verdict = verdictOf(is, e(mean, low - wider, high + wider), 1);
        if (sure.includes(verdict)) expect(verdictOf(is, e(mean, low, high), 1)).toBe(verdict);
      }),
    );
  });

  it("are counted in their order", () => {
    expect(countsOf(["not tested", "agrees", "disagrees", "agrees"])).toBe("agrees 2, disagrees 1, not tested 1");
  });
});
