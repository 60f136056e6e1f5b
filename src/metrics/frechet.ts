/** Fréchet distance of two distributions of features (FID), and the Inception score of one set of class logits (IS). */
import { eigenvalues, LARGEST_EIGEN } from "../linalg/index.js";
import {
  centred,
  type Matrix,
  matrix,
  meanRow,
  type Product,
  plainProduct,
  rowsOf,
  transpose,
} from "../tensor/index.js";
import { softmax } from "./softmax.js";

/** Sum of squares of all elements. */
const squares = (a: Matrix) => a.data.reduce((s, v) => s + v * v, 0);

/** x [n, d] → (x − mean) / √(n − 1), whose Gram matrices have the eigenvalues of the unbiased covariance. */
function deviations(x: Matrix): Matrix {
  const c = centred(x);
  const by = 1 / Math.sqrt(x.rows - 1);
  return matrix(
    c.rows,
    c.columns,
    c.data.map((v) => v * by),
  );
}

/**
 * Fréchet distance (FID) of two Gaussians with the means and covariances of a [n][d] and b [m][d] (Heusel et al. 2017, eq. 6):
 * ‖μa − μb‖² + tr(Σa + Σb − 2 √(Σa Σb)). tr √(Σa Σb) is the nuclear norm of the n × m product of the centred features or, with more
 * images than features, of the d × d product of the covariances' Cholesky factors, so that the smaller matrix is decomposed.
 * @param multiply computes matrix products, by default in plain JavaScript
 */
export async function frechetDistance(
  a: readonly Float32Array[],
  b: readonly Float32Array[],
  multiply: Product = plainProduct,
): Promise<number> {
  const [xa, xb] = [rowsOf(a), rowsOf(b)];
  const [ma, mb] = [meanRow(xa), meanRow(xb)];
  const [da, db] = [deviations(xa), deviations(xb)];
  const means = ma.reduce((s, v, i) => s + (v - (mb[i] ?? 0)) ** 2, 0);
  const few = Math.min(xa.rows, xb.rows) <= xa.columns;
  const factor = async (x: Matrix) => (few ? x : cholesky(await multiply(transpose(x), transpose(x))));
  const between = await multiply(await factor(da), await factor(db));
  return means + squares(da) + squares(db) - 2 * (await nuclearNorm(between, multiply));
}

/**
 * Cholesky factor R [d, d] with Rᵀ R = s, for a symmetric positive semi-definite s [d, d]. Rows of directions without variance are zero.
 */
export function cholesky(s: Matrix): Matrix {
  const d = s.rows;
  const r = matrix(d, d, s.data.slice());
  const at = (i: number, j: number) => r.data[i * d + j] ?? 0;
  const least = 1e-12 * Math.max(...Array.from({ length: d }, (_, i) => at(i, i)));
  for (let k = 0; k < d; k++) {
    const pivot = at(k, k);
    const row = r.data.subarray(k * d, (k + 1) * d);
    if (pivot <= least) {
      row.fill(0);
      continue;
    }
    const by = 1 / Math.sqrt(pivot);
    for (let j = 0; j < d; j++) row[j] = j < k ? 0 : (row[j] ?? 0) * by;
    for (let i = k + 1; i < d; i++) {
      const f = row[i] ?? 0;
      if (f !== 0) for (let j = i; j < d; j++) r.data[i * d + j] = at(i, j) - f * (row[j] ?? 0);
    }
  }
  return r;
}

const MOST_ROUNDS = 80;

/**
 * Nuclear norm (sum of singular values) of c [n, m]. Up to `eigen` rows from the eigenvalues of c cᵀ; above, as ⟨u, c⟩ with the polar factor
 * u of c from the Newton–Schulz iteration x ← 3/2 x − 1/2 x xᵀ x (Higham 2008, eq. 8.20), which needs matrix products only and no
 * inverse, so that rank-deficient matrices are no problem.
 */
export async function nuclearNorm(c: Matrix, multiply: Product, eigen = LARGEST_EIGEN): Promise<number> {
  if (c.rows > c.columns) return nuclearNorm(transpose(c), multiply, eigen);
  if (c.rows <= eigen) {
    return eigenvalues(await multiply(c, c)).reduce((sum, v) => sum + Math.sqrt(Math.max(0, v)), 0);
  }
  const size = Math.sqrt(squares(c));
  if (size === 0) return 0;
  let x = matrix(
    c.rows,
    c.columns,
    c.data.map((v) => v / size),
  );
  let before = 0;
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const cubed = await multiply(await multiply(x, x), transpose(x));
    x = matrix(
      c.rows,
      c.columns,
      x.data.map((v, i) => 1.5 * v - (cubed.data[i] ?? 0) / 2),
    );
    const now = x.data.reduce((s, v, i) => s + v * (c.data[i] ?? 0), 0);
    if (now - before <= 1e-7 * now) return now;
    before = now;
  }
  return before;
}

/** Inception score (Salimans et al. 2016, §4) of logits [n][classes]: exp of the mean KL divergence from the marginal class distribution. */
export function inceptionScore(logits: readonly Float32Array[]): number {
  const shares = logits.map(softmax);
  const mean = Array.from(
    { length: logits[0]?.length ?? 0 },
    (_, c) => shares.reduce((s, p) => s + (p[c] ?? 0), 0) / shares.length,
  );
  const divergence = shares.map((p) => p.reduce((s, v, c) => (v > 0 ? s + v * Math.log(v / (mean[c] ?? 1)) : s), 0));
  return Math.exp(divergence.reduce((s, v) => s + v, 0) / shares.length);
}
