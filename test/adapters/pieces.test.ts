import { describe, expect, it } from "vitest";
import { applyDelta, type Delta } from "../../src/adapters/delta.js";
import { pieceOf } from "../../src/adapters/pieces.js";
import { createRng, float } from "../../src/tensor/index.js";

const random = (seed: number, ...shape: number[]) => createRng(seed).randn(shape);
/** A layer [6, 4] that a file has as one, and the model in parts. */
const weight = random(1, 6, 4);
const KINDS: Readonly<Record<string, Delta>> = {
  LoRA: { kind: "low-rank", down: random(2, 2, 4), up: random(3, 6, 2), mid: null, alpha: 3, magnitude: null },
  LoHa: {
    kind: "hadamard",
    factors: [
      { a: random(4, 6, 2), b: random(5, 2, 4), core: null },
      { a: random(6, 6, 2), b: random(7, 2, 4), core: null },
    ],
    alpha: 1,
    magnitude: null,
  },
  LoKr: {
    kind: "kronecker",
    left: { full: random(8, 2, 2) },
    right: { full: random(9, 3, 2) },
    alpha: null,
    magnitude: null,
  },
  difference: { kind: "difference", weight: random(10, 6, 4), bias: null },
  replacement: { kind: "replacement", weight: random(11, 6, 4) },
  DoRA: {
    kind: "low-rank",
    down: random(2, 2, 4),
    up: random(3, 6, 2),
    mid: null,
    alpha: 3,
    magnitude: { axis: "output", lengths: float([6], Float32Array.of(1, 2, 3, 4, 5, 6)) },
  },
};

describe("a change of some rows", () => {
  it.each(Object.entries(KINDS))("of %s is those rows of the whole change", (_, delta) => {
    const whole = applyDelta(delta, weight, 0.7).data;
    const rows = [
      [4, 6],
      [1, 2],
    ] as const;
    const taken = (data: Float32Array) => Float32Array.of(...data.subarray(16, 24), ...data.subarray(4, 8));
    const piece = pieceOf(delta, rows);
    expect(piece).not.toBeNull();
    if (piece) expect(applyDelta(piece, float([3, 4], taken(weight.data)), 0.7).data).toEqual(taken(whole));
  });

  it("of norms per input is refused, as they are those of all rows together", () => {
    const lengths = float([4], Float32Array.of(1, 2, 3, 4));
    const delta: Delta = {
      kind: "low-rank",
      down: random(2, 2, 4),
      up: random(3, 6, 2),
      mid: null,
      alpha: 1,
      magnitude: { axis: "input", lengths },
    };
    expect(pieceOf(delta, [[0, 2]])).toBeNull();
  });
});
