import { describe, expect, it } from "vitest";
import { watch } from "../../src/trajectory/index.js";

describe("watch", () => {
  // Seen above the middle of all: 0.2 here.
  const all = [0.1, 0.3];

  it("marks what is seen and dropped, and what is seen only at the end", () => {
    const found = watch(
      "a party hat",
      [3, 4, 5, 6],
      [
        [0.1, 0.3, 0.28, 0.12],
        [0.1, 0.1, 0.1, 0.3],
        [0.1, 0.25, 0.3, 0.3],
        [0.1, 0.1, 0.1, 0.1],
      ],
      all,
    );
    expect(found.threshold).toBeCloseTo(0.2);
    expect(found.findings).toEqual([
      { seed: 3, step: 2, finding: "dropped" },
      { seed: 4, step: 3, finding: "late" },
    ]);
  });

  it("marks nothing where likeness hardly changes, or there is one step only", () => {
    expect(watch("x", [0], [[0.2, 0.21, 0.2]], [0.2, 0.21]).findings).toEqual([]);
    expect(watch("x", [0], [[0.3]], all).findings).toEqual([]);
  });
});
