/** Two sets of features compared by their nearest neighbours: precision and recall, density and coverage. */
import { type Matrix, type Product, plainProduct, rowsOf } from "../tensor/index.js";

export interface Neighbours {
  /** Share of the pictures that lie in a ball of a reference picture (Kynkäänniemi et al. 2019). */
  readonly precision: number;
  /** Share of the reference that lies in a ball of a picture. */
  readonly recall: number;
  /** Number of balls of the reference that a picture lies in, over k (Naeem et al. 2020); may be above 1. */
  readonly density: number;
  /** Share of the reference whose own ball holds a picture. */
  readonly coverage: number;
}

/** Euclidean distances of every row of a to every row of b, squared, [n, m]. */
async function squaredDistances(a: Matrix, b: Matrix, multiply: Product): Promise<Matrix> {
  const squares = (x: Matrix) =>
    Array.from({ length: x.rows }, (_, i) =>
      x.data.subarray(i * x.columns, (i + 1) * x.columns).reduce((s, v) => s + v * v, 0),
    );
  const [aa, bb, ab] = [squares(a), squares(b), await multiply(a, b)];
  const data = new Float64Array(ab.data.length);
  for (let i = 0; i < ab.rows; i++) {
    for (let j = 0; j < ab.columns; j++) {
      const at = i * ab.columns + j;
      data[at] = Math.max(0, (aa[i] ?? 0) + (bb[j] ?? 0) - 2 * (ab.data[at] ?? 0));
    }
  }
  return { ...ab, data };
}

/** Squared distance of every row to its k-th nearest other row. Distances [n, n]. */
function radii(d: Matrix, k: number): number[] {
  // The k smallest so far, rising: sorting whole rows takes most of the time of a large set.
  const nearest = new Float64Array(k);
  return Array.from({ length: d.rows }, (_, i) => {
    nearest.fill(Number.POSITIVE_INFINITY);
    for (let j = 0; j < d.columns; j++) {
      const value = d.data[i * d.columns + j] ?? 0;
      if (j === i || value >= (nearest[k - 1] ?? 0)) continue;
      let at = k - 1;
      for (; at > 0 && (nearest[at - 1] ?? 0) > value; at--) nearest[at] = nearest[at - 1] ?? 0;
      nearest[at] = value;
    }
    return nearest[k - 1] ?? Number.NaN;
  });
}

/**
 * As the package prdc computes them: balls of radius "distance to the k-th neighbour", strictly inside. features [m][d],
 * reference [n][d]; both need more than k. @throws RangeError when they have not
 */
export async function neighbours(
  reference: readonly Float32Array[],
  features: readonly Float32Array[],
  k = 5,
  multiply: Product = plainProduct,
): Promise<Neighbours> {
  const least = Math.min(reference.length, features.length);
  if (least <= k) throw new RangeError(`${k} neighbours need more than ${k} pictures on both sides; one has ${least}`);
  const [real, fake] = [rowsOf(reference), rowsOf(features)];
  const realRadii = radii(await squaredDistances(real, real, multiply), k);
  const fakeRadii = radii(await squaredDistances(fake, fake, multiply), k);
  const between = await squaredDistances(real, fake, multiply);
  const [n, m] = [real.rows, fake.rows];
  const held = new Uint8Array(m);
  let [recalled, covered, balls] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    let [inFake, hasFake] = [false, false];
    for (let j = 0; j < m; j++) {
      const d = between.data[i * m + j] ?? 0;
      if (d < (realRadii[i] ?? 0)) {
        held[j] = 1;
        balls++;
        hasFake = true;
      }
      if (d < (fakeRadii[j] ?? 0)) inFake = true;
    }
    recalled += Number(inFake);
    covered += Number(hasFake);
  }
  return {
    precision: held.reduce((s, v) => s + v, 0) / m,
    recall: recalled / n,
    density: balls / (k * m),
    coverage: covered / n,
  };
}
