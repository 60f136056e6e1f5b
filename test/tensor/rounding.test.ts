import { describe, expect, it } from "vitest";
import { roundHalfEven } from "../../src/tensor/index.js";

describe("roundHalfEven", () => {
  it.each([
    [0.5, 0],
    [1.5, 2],
    [2.5, 2],
    [2.4999999999999996, 2],
    [2.5000000000000004, 3],
    [-0.5, -0],
    [-1.5, -2],
    [-2.5, -2],
    [-2.6, -3],
    [7, 7],
  ])("%d becomes %d, as numpy.round gives", (x, rounded) => {
    expect(roundHalfEven(x)).toBeCloseTo(rounded, 12);
  });
});
