/** Dense matrices in double precision: products, and eigenvalues of small symmetric ones. */
import { Matrix as Dense, EigenvalueDecomposition, QrDecomposition, solve as solveDense } from "ml-matrix";
import { transposedValues } from "./tensor.js";

/** Row-major. `data.length` is rows · columns. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

/** a [n, d], b [m, d] → a bᵀ [n, m]. This room knows no runtime: whoever has a fast one hands it in. */
export type Product = (a: Matrix, b: Matrix) => Promise<Matrix>;

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

/** a bᵀ in plain JavaScript: a few hundred million multiplications a second. */
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

export const plainProduct: Product = async (a, b) => product(a, b);

export const transpose = (a: Matrix): Matrix =>
  matrix(a.columns, a.rows, transposedValues(a.data, a.rows, a.columns, new Float64Array(a.data.length)));

/** Rows brought to length 1; rows of zeros stay. */
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

/** Every row less the mean row. */
export function centred(a: Matrix): Matrix {
  const mean = meanRow(a);
  return matrix(
    a.rows,
    a.columns,
    a.data.map((v, i) => v - (mean[i % a.columns] ?? 0)),
  );
}

/** Side above which eigenvalues would take seconds (ml-matrix: 0.85 s at 512, 7 s at 1024). */
export const LARGEST_EIGEN = 512;

/** Eigenvalues of a symmetric matrix, ascending. @throws RangeError above LARGEST_EIGEN */
export const eigenvalues = (a: Matrix): number[] => decomposed(a).realEigenvalues.toSorted((x, y) => x - y);

/** Eigenvalues of a symmetric matrix, descending, with a unit vector for each as the rows of a matrix. @throws RangeError above LARGEST_EIGEN */
export function eigenvectors(a: Matrix): { readonly values: readonly number[]; readonly vectors: Matrix } {
  const { realEigenvalues, eigenvectorMatrix } = decomposed(a);
  const order = realEigenvalues
    .map((_, i) => i)
    .toSorted((i, j) => (realEigenvalues[j] ?? 0) - (realEigenvalues[i] ?? 0));
  const columns = eigenvectorMatrix.to1DArray();
  const vectors = matrix(a.rows, a.rows);
  for (const [row, i] of order.entries()) {
    for (let k = 0; k < a.rows; k++) vectors.data[row * a.rows + k] = columns[k * a.rows + i] ?? 0;
  }
  return { values: order.map((i) => realEigenvalues[i] ?? 0), vectors };
}

/** X with a X = b, for a square a [n, n] and b [n, m]; the least-squares solution where a has more rows than columns. */
export function solve(a: Matrix, b: Matrix): Matrix {
  const x = solveDense(Dense.from1DArray(a.rows, a.columns, a.data), Dense.from1DArray(b.rows, b.columns, b.data));
  return matrix(a.columns, b.columns, Float64Array.from(x.to1DArray()));
}

/** Orthonormal columns that span what the columns of `a` span, [n, m] with n ≥ m. */
export function orthonormal(a: Matrix): Matrix {
  const q = new QrDecomposition(Dense.from1DArray(a.rows, a.columns, a.data)).orthogonalMatrix;
  return matrix(a.rows, a.columns, Float64Array.from(q.to1DArray()));
}

function decomposed(a: Matrix): EigenvalueDecomposition {
  if (a.rows !== a.columns) throw new RangeError(`a ${a.rows} × ${a.columns} matrix has no eigenvalues`);
  if (a.rows > LARGEST_EIGEN) {
    throw new RangeError(`eigenvalues are found up to ${LARGEST_EIGEN} rows; this matrix has ${a.rows}`);
  }
  return new EigenvalueDecomposition(Dense.from1DArray(a.rows, a.columns, a.data), { assumeSymmetric: true });
}
