/** Comparison of two sets of features by nearest neighbours: precision, recall, density, coverage. */
import { type Matrix, type Product, plainProduct, rowsOf } from "../tensor/index.js";

/** Measures from the ball around each image that reaches to its k-th nearest neighbour in its own set. */
export interface Neighbours {
  /** Fraction of the images inside a ball of the reference (Kynkäänniemi et al. 2019), 0…1. */
  readonly precision: number;
  /** Fraction of the reference inside a ball of the images (Kynkäänniemi et al. 2019), 0…1. */
  readonly recall: number;
  /** Mean number of reference balls around an image, divided by k (Naeem et al. 2020); may exceed 1. */
  readonly density: number;
  /** Fraction of the reference whose ball contains an image (Naeem et al. 2020), 0…1. */
  readonly coverage: number;
}

/** Squared Euclidean distances of the rows of a [n, d] and b [m, d]: [n, m]. */
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

/** Squared distance of each row to its k-th nearest neighbour, from squared distances [n, n]. */
function radii(d: Matrix, k: number): number[] {
  // The k smallest distances so far, ascending. Sorting whole rows would dominate the time for large sets.
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
 * Precision, recall, density and coverage as the package prdc computes them, with points strictly inside balls.
 * reference [n][d], features [m][d].
 * @param k neighbours; default 5
 * @param multiply computes matrix products, by default in plain JavaScript
 * @throws RangeError unless both sets have more than k images
 */
export async function neighbours(
  reference: readonly Float32Array[],
  features: readonly Float32Array[],
  k = 5,
  multiply: Product = plainProduct,
): Promise<Neighbours> {
  const least = Math.min(reference.length, features.length);
  if (least <= k) throw new RangeError(`${k} neighbours need more than ${k} images in each set; one has ${least}`);
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
