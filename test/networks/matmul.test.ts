import { afterAll, describe, expect, it } from "vitest";
import { frechetDistance } from "../../src/metrics/index.js";
import { productsOn } from "../../src/networks/index.js";
import { openRuntime } from "../../src/runtime/node/index.js";
import { createRng, type Matrix, plainProduct } from "../../src/tensor/index.js";

const runtime = openRuntime({ threads: 2 });
afterAll(() => runtime.close());
const multiply = productsOn(runtime);

const drawn = (seed: number, rows: number, columns: number): Matrix => ({
  rows,
  columns,
  data: Float64Array.from(createRng(seed).randn([rows, columns]).data),
});

describe("products through ONNX Runtime", { timeout: 240_000 }, () => {
  it("are double precision, and a bᵀ", async () => {
    const [a, b] = [drawn(1, 310, 290), drawn(2, 270, 290)];
    const [fast, plain] = [await multiply(a, b), await plainProduct(a, b)];
    expect([fast.rows, fast.columns]).toEqual([310, 270]);
    const worst = fast.data.reduce((m, v, i) => Math.max(m, Math.abs(v - (plain.data[i] ?? Number.NaN))), 0);
    expect(worst).toBeLessThan(1e-10);
  });

  it("carry a Fréchet distance of more features and pictures than eigenvalues are found for", async () => {
    // Twice the set: means and deviations double, so the distance is |mean|² + the sum of variances.
    const [n, d] = [700, 560];
    const { data } = drawn(3, n, d);
    const rows = (by: number) =>
      Array.from({ length: n }, (_, i) => Float32Array.from(data.subarray(i * d, (i + 1) * d), (v) => by * v));
    const once = rows(1);
    const mean = Float64Array.from({ length: d }, (_, k) => once.reduce((s, r) => s + (r[k] ?? 0), 0) / n);
    const square = mean.reduce((s, v) => s + v * v, 0);
    const spread = (data.reduce((s, v) => s + v * v, 0) - n * square) / (n - 1);
    const found = await frechetDistance(rows(1), rows(2), multiply);
    expect(Math.abs(found / (square + spread) - 1)).toBeLessThan(1e-4);
  });
});
