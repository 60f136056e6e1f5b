import { describe, expect, it } from "vitest";
import { factorise } from "../../src/adapters/index.js";
import { eigenvalues } from "../../src/linalg/index.js";
import { createRng, type Matrix, matrix, plainProduct, product, transpose } from "../../src/tensor/index.js";

const drawn = (seed: number, rows: number, columns: number): Matrix =>
  matrix(rows, columns, Float64Array.from(createRng(seed).randn([rows, columns]).data));
/** [rows, columns] of rank `rank`, direction i weighing decay^i. */
function sloping(rows: number, columns: number, rank: number, decay: number): Matrix {
  const left = drawn(1, rows, rank);
  for (const i of left.data.keys()) left.data[i] = (left.data[i] ?? 0) * decay ** (i % rank);
  return product(left, drawn(2, columns, rank));
}
const squared = (m: Matrix) => m.data.reduce((s, v) => s + v * v, 0);
const lost = (d: Matrix, up: Matrix, down: Matrix) => {
  const back = product(up, transpose(down));
  return d.data.reduce((s, v, i) => s + (v - (back.data[i] ?? 0)) ** 2, 0) / squared(d);
};
const factored = async (...[d, keep]: [Matrix, { rank: number; energy: number }]) => {
  const found = await factorise(d, keep, plainProduct);
  if (!found) throw new Error("nothing was found");
  return found;
};

describe("factorise", () => {
  it.each([
    ["wide", 20, 50],
    ["tall", 50, 20],
    ["square", 30, 30],
    ["sketched", 90, 70],
  ])("gives a matrix of low rank back whole: %s", async (_, rows, columns) => {
    const d = sloping(rows, columns, 4, 0.5);
    const { up, down, kept } = await factored(d, { rank: 4, energy: 1 });
    expect([up.rows, up.columns, down.rows, down.columns]).toEqual([rows, 4, 4, columns]);
    expect(lost(d, up, down)).toBeLessThan(1e-20);
    expect(kept).toBeCloseTo(1, 12);
  });

  it("loses no more than the best approximation of that rank (Eckart and Young)", async () => {
    const d = sloping(120, 80, 80, 0.93);
    const values = eigenvalues(product(transpose(d), transpose(d))).toReversed();
    const best = values.slice(12).reduce((s, v) => s + v, 0) / squared(d);
    const { up, down, kept } = await factored(d, { rank: 12, energy: 1 });
    expect(lost(d, up, down)).toBeLessThan(best * 1.01);
    expect(1 - kept).toBeCloseTo(lost(d, up, down), 9);
  });

  it("takes as many directions as hold the energy, and not one more", async () => {
    const d = sloping(100, 90, 90, 0.96);
    const { up, down, kept } = await factored(d, { rank: 90, energy: 0.9 });
    expect(kept).toBeGreaterThanOrEqual(0.9);
    expect(lost(d, up, down)).toBeLessThan(0.1 + 1e-9);
    const { kept: fewer } = await factored(d, { rank: down.rows - 1, energy: 1 });
    expect(fewer).toBeLessThan(0.9);
  });

  it("refuses a matrix that is not finite", async () => {
    const d = sloping(20, 30, 4, 0.5);
    d.data[7] = Number.NaN;
    await expect(factorise(d, { rank: 2, energy: 1 }, plainProduct)).rejects.toThrow(RangeError);
  });

  it("has nothing to say of zeros", async () => {
    expect(await factorise(matrix(3, 4), { rank: 2, energy: 1 }, plainProduct)).toBeNull();
  });
});
