/** Mutual information between images and an attribute, from the probabilities of its values: diversity that a blind classifier cannot feign. */
import { indices } from "./estimate.js";

/** Shannon entropy of a distribution [values] that sums to 1, in nats. */
export const shannonEntropy = (p: readonly number[]): number =>
  p.reduce((h, x) => (x > 0 ? h - x * Math.log(x) : h), 0);

/** Mean distribution of the images `drawn` [values]. p [images][values]. */
function meanOf(p: readonly (readonly number[])[], drawn: readonly number[]): number[] {
  const sum = (p[0] ?? []).map(() => 0);
  for (const i of drawn) for (const [k, x] of (p[i] ?? []).entries()) sum[k] = (sum[k] ?? 0) + x;
  return sum.map((x) => x / drawn.length);
}

/**
 * Mutual information I = H(mean p) − mean H(p) between an image and the value of an attribute, in nats, over images with probabilities
 * p [images][values]: the generalised Jensen–Shannon divergence (Lin 1991, eq. 5.1). 0 where all images have the same probabilities, also
 * where a classifier knows nothing; the entropy of the values where every image is certain; at most ln(values).
 *
 * H is concave, so the first term is too small for few images: by (values − 1) / 2n for certain images. The jackknife (Quenouille 1956)
 * removes this bias to O(1/n²) for probabilities as for counts: n H(mean p) − (n − 1) · mean over i of H(mean p without i). Grassberger's
 * and Chao and Shen's estimators need whole counts. The correction is never negative, and zero for equal images.
 * @param drawn indices of images, such as a resample; default: all
 * @returns NaN for fewer than two images
 */
export function mutualInformation(
  p: readonly (readonly number[])[],
  drawn: readonly number[] = indices(p.length),
): number {
  const n = drawn.length;
  if (n < 2) return Number.NaN;
  const all = meanOf(p, drawn);
  let [without, certain] = [0, 0];
  for (const i of drawn) {
    const own = p[i] ?? [];
    certain += shannonEntropy(own);
    without += shannonEntropy(all.map((x, k) => Math.max(0, (n * x - (own[k] ?? 0)) / (n - 1))));
  }
  const information = n * shannonEntropy(all) - ((n - 1) * without) / n - certain / n;
  return Math.max(0, Math.min(Math.log(all.length), information));
}
