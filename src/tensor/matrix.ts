/** Dense matrices in double precision: products, transposes, means and lengths of rows. */
import { transposedValues } from "./tensor.js";

/** Row-major matrix; `data.length` is rows · columns. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

/** Matrix product a [n, d], b [m, d] → a bᵀ [n, m]. Passed as an argument, so that callers can compute it on a runtime. */
export type Product = (a: Matrix, b: Matrix) => Promise<Matrix>;

/** Matrix [rows, columns]; `data` is not copied, default zeros. */
export const matrix = (rows: number, columns: number, data = new Float64Array(rows * columns)): Matrix => ({
  rows,
  columns,
  data,
});

/** Feature vectors of equal length as the rows of a matrix. */
export function rowsOf(features: readonly Float32Array[]): Matrix {
  const columns = features[0]?.length ?? 0;
  const data = new Float64Array(features.length * columns);
  for (const [i, f] of features.entries()) data.set(f, i * columns);
  return matrix(features.length, columns, data);
}

/** a [n, d], b [m, d] → a bᵀ [n, m] in plain JavaScript, a few 10⁸ multiplications per second. */
export function product(a: Matrix, b: Matrix): Matrix {
  const out = matrix(a.rows, b.rows);
  const d = a.columns;
  for (let i = 0; i < a.rows; i++) {
    for (let j = 0; j < b.rows; j++) {
      let sum = 0;
      for (let k = 0; k < d; k++) sum += (a.data[i * d + k] ?? 0) * (b.data[j * d + k] ?? 0);
      out.data[i * b.rows + j] = sum;
    }
  }
  return out;
}

/** `product` as a `Product`: the default where no runtime is given. */
export const plainProduct: Product = async (a, b) => product(a, b);

/** a [n, m] → aᵀ [m, n]. */
export const transpose = (a: Matrix): Matrix =>
  matrix(a.columns, a.rows, transposedValues(a.data, a.rows, a.columns, new Float64Array(a.data.length)));

/** Scales rows to unit Euclidean length; zero rows stay zero. */
export function unitRows(a: Matrix): Matrix {
  const data = a.data.slice();
  for (let i = 0; i < a.rows; i++) {
    const row = data.subarray(i * a.columns, (i + 1) * a.columns);
    const length = Math.sqrt(row.reduce((s, v) => s + v * v, 0)) || 1;
    for (const [k, v] of row.entries()) row[k] = v / length;
  }
  return matrix(a.rows, a.columns, data);
}

/** Mean of the rows, [columns]. */
export function meanRow(a: Matrix): Float64Array {
  const mean = new Float64Array(a.columns);
  for (let i = 0; i < a.data.length; i++) {
    const k = i % a.columns;
    mean[k] = (mean[k] ?? 0) + (a.data[i] ?? 0) / a.rows;
  }
  return mean;
}

/** Subtracts the mean row from every row. */
export function centred(a: Matrix): Matrix {
  const mean = meanRow(a);
  return matrix(
    a.rows,
    a.columns,
    a.data.map((v, i) => v - (mean[i % a.columns] ?? 0)),
  );
}
