/** Symmetric eigenvalues, QR decomposition and least squares of dense matrices, by ml-matrix. */
import { Matrix as Dense, EigenvalueDecomposition, QrDecomposition, solve as solveDense } from "ml-matrix";
import { type Matrix, matrix } from "../tensor/index.js";

/** Largest number of rows for an eigenvalue decomposition (ml-matrix takes 0.85 s at 512, 7 s at 1024). */
export const LARGEST_EIGEN = 512;

/** Eigenvalues of a symmetric matrix [n, n], ascending. @throws RangeError when a is not square, or n exceeds LARGEST_EIGEN */
export const eigenvalues = (a: Matrix): number[] => decomposed(a).realEigenvalues.toSorted((x, y) => x - y);

/**
 * Eigenvalues of a symmetric matrix [n, n], descending, and their unit eigenvectors as the rows of `vectors` [n, n].
 * @throws RangeError when a is not square, or n exceeds LARGEST_EIGEN
 */
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

/** Solves a x = b: a [n, m], b [n, k] → x [m, k]; the least-squares solution for n > m. */
export function solve(a: Matrix, b: Matrix): Matrix {
  const x = solveDense(Dense.from1DArray(a.rows, a.columns, a.data), Dense.from1DArray(b.rows, b.columns, b.data));
  return matrix(a.columns, b.columns, Float64Array.from(x.to1DArray()));
}

/** Orthonormal basis of the column space of a [n, m], n ≥ m: Q of the thin QR decomposition, [n, m]. */
export function orthonormal(a: Matrix): Matrix {
  const q = new QrDecomposition(Dense.from1DArray(a.rows, a.columns, a.data)).orthogonalMatrix;
  return matrix(a.rows, a.columns, Float64Array.from(q.to1DArray()));
}

function decomposed(a: Matrix): EigenvalueDecomposition {
  if (a.rows !== a.columns) {
    throw new RangeError(`eigenvalues need a square matrix; this one is ${a.rows} × ${a.columns}`);
  }
  if (a.rows > LARGEST_EIGEN) {
    throw new RangeError(`eigenvalues are computed for up to ${LARGEST_EIGEN} rows; this matrix has ${a.rows}`);
  }
  return new EigenvalueDecomposition(Dense.from1DArray(a.rows, a.columns, a.data), { assumeSymmetric: true });
}
