import { describe, expect, it } from "vitest";
import { concatLast, float, matrix, transpose, transposed } from "../../src/tensor/index.js";

describe("concatLast", () => {
  it("joins rows side by side", () => {
    // [1, 2, 2] and [1, 2, 1].
    const a = float([1, 2, 2], Float32Array.of(1, 2, 3, 4));
    const b = float([1, 2, 1], Float32Array.of(5, 6));
    expect(concatLast([a, b])).toEqual(float([1, 2, 3], Float32Array.of(1, 2, 5, 3, 4, 6)));
    expect(concatLast([b, a])).toEqual(float([1, 2, 3], Float32Array.of(5, 1, 2, 6, 3, 4)));
  });

  it("refuses other lengths, and nothing", () => {
    expect(() => concatLast([float([1, 2, 2]), float([1, 3, 2])])).toThrow(RangeError);
    expect(() => concatLast([])).toThrow(RangeError);
  });
});

describe("transposed", () => {
  // [[0, 1, 2], [3, 4, 5]] → [[0, 3], [1, 4], [2, 5]]
  const [rows, columns] = [
    [0, 1, 2, 3, 4, 5],
    [0, 3, 1, 4, 2, 5],
  ];

  it("swaps the axes of a tensor and of a matrix", () => {
    expect(transposed(float([2, 3], Float32Array.from(rows)))).toEqual(float([3, 2], Float32Array.from(columns)));
    expect(transpose(matrix(2, 3, Float64Array.from(rows)))).toEqual(matrix(3, 2, Float64Array.from(columns)));
  });
});
