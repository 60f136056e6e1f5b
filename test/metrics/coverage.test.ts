import { describe, expect, it } from "vitest";
import { valueCoverage } from "../../src/metrics/index.js";

describe("coverage of a reference's values", () => {
  const reference = ["cat", "cat", "dog", "owl"];

  it("is the share of its values that are reached, next to what as many real images reach", () => {
    // Two of four without replacement: cat is missed by 2/4 · 1/3 = 1/6, dog and owl by 3/4 · 2/3 = 1/2.
    const found = valueCoverage(["cat", "cat"], reference);
    expect(found?.reached).toBeCloseTo(1 / 3, 12);
    expect(found?.ceiling).toBeCloseTo((5 / 6 + 1 / 2 + 1 / 2) / 3, 12);
  });

  it("ignores values that the reference does not have, and is at most 1", () => {
    expect(valueCoverage(["cat", "dog", "owl", "fox", "fox"], reference)).toEqual({ reached: 1, ceiling: 1 });
    expect(valueCoverage(["fox"], reference)?.reached).toBe(0);
    expect(valueCoverage([], reference)).toBeNull();
    expect(valueCoverage(["cat"], [])).toBeNull();
  });
});
