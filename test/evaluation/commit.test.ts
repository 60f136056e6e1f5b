import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { agreement, commitment } from "../../src/evaluation/index.js";

describe("commitment", () => {
  it("is the first step from which on x0 stays within half the distance between seeds", () => {
    expect(commitment([0.9, 0.4, 0.1, 0], 1)).toEqual({ step: 1, share: 2 / 4 });
    expect(commitment([0.3, 0.4, 0.1], 1)).toEqual({ step: 0, share: 1 / 3 });
    // Close once, then away again.
    expect(commitment([0.9, 0.2, 0.7, 0], 1)).toEqual({ step: 3, share: 1 });
    // Half itself is within.
    expect(commitment([0.9, 0.5, 0], 1)).toEqual({ step: 1, share: 2 / 3 });
  });

  it("is the last step where x0 is far to the end", () => {
    expect(commitment([0.9, 0.8, 0.7], 1)).toEqual({ step: 2, share: 1 });
  });

  it("comes no later when seeds lie further apart", () => {
    const distances = fc.array(fc.double({ min: 0, max: 2, noNaN: true }), { minLength: 1, maxLength: 9 });
    const apart = fc.double({ min: 0, max: 4, noNaN: true });
    fc.assert(
      fc.property(distances, apart, apart, (d, a, b) => {
        expect(commitment(d, Math.max(a, b)).step).toBeLessThanOrEqual(commitment(d, Math.min(a, b)).step);
      }),
    );
  });
});

describe("agreement of attributes", () => {
  const hat = (...values: string[]) => values.map((value) => ({ hat: value, eyes: 2 }));

  it("counts the same run, and the others", () => {
    // Own: cap–cap, crown–cap, cap–crown: 1 of 3. Others: cap of run 0 meets cap, crown; crown meets cap, crown; cap meets cap, cap.
    expect(agreement(hat("cap", "crown", "cap"), hat("cap", "cap", "crown"), ["hat"])).toEqual({
      own: expect.closeTo(1 / 3, 12),
      others: expect.closeTo(4 / 6, 12),
    });
  });

  it("is that of all free attributes together, and NaN for one seed", () => {
    expect(agreement(hat("cap", "crown"), hat("cap", "crown"), ["hat", "eyes"])).toEqual({ own: 1, others: 0.5 });
    expect(agreement(hat("cap"), hat("cap"), ["hat"]).others).toBeNaN();
  });
});
