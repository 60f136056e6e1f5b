import { describe, expect, it } from "vitest";
import { feedProblem, missingInputs } from "../../src/runtime/feeds.js";
import type { PortFacts } from "../../src/runtime/runtime.js";
import { float, int } from "../../src/tensor/index.js";

const INPUTS: readonly PortFacts[] = [
  { name: "sample", dtype: "float32", shape: ["B", 4, 2, 3] },
  { name: "ids", dtype: "int64", shape: ["B"] },
];

describe("inputs", () => {
  it("fit where every dimension does and one name has one size", () => {
    expect(feedProblem(INPUTS, { sample: float([5, 4, 2, 3]), ids: int([5], [0, 0, 0, 0, 0]) })).toBeUndefined();
    expect(feedProblem(INPUTS, { ids: int([1], [0]), unknown: float([1]) })).toBeUndefined();
  });

  it.each([
    [
      "height and width swapped",
      { sample: float([5, 4, 3, 2]) },
      "input sample is [5, 4, 3, 2]; the graph expects [B=5, 4, 2, 3]",
    ],
    ["a dimension less", { sample: float([4, 2, 3]) }, /sample/],
    ["a dimension more", { ids: int([1, 1], [0]) }, /ids/],
    [
      "two batch sizes",
      { sample: float([2, 4, 2, 3]), ids: int([3], [0, 0, 0]) },
      "input ids is [3]; the graph expects [B=2]",
    ],
    ["another type", { ids: float([1]) }, "input ids is float32; the graph expects int64"],
    ["too few values", { ids: { ...int([1], [0]), shape: [2] } }, /data has 1/],
  ])("do not fit: %s", (_, feeds, message) => {
    expect(feedProblem(INPUTS, feeds)).toMatch(message);
  });

  it("are missing where no set has them", () => {
    expect(missingInputs(INPUTS, { sample: 1 }, { ids: 1 })).toBeUndefined();
    expect(missingInputs(INPUTS, { ids: 1 })).toBe("no tensor for sample");
  });
});
