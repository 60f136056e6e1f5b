/** CLIP score of an image and a text, and its change between two sets of images. */
import { cosineDistance, type Estimate, mean, ratioEstimate } from "../metrics/index.js";

/** CLIP score (Hessel et al. 2021) without its factor of 2.5: 100 · max(cos, 0). image, text [P]. */
export const clipScore = (image: Float32Array, text: Float32Array): number =>
  100 * Math.max(0, 1 - cosineDistance(image, text));

/** Minimum mean score of a reference. Images below it do not show the text, and a change in percent of it is meaningless. */
const LEAST_SCORE = 10;

/**
 * Change of the CLIP score in percent of the reference's (table 1 of Gandikota and Bau 2025). Both arguments hold one score for each
 * unit, a prompt or a seed, in the same order. The ratio is that of the mean scores, since the ratio of a single image can have a
 * denominator near 0. Null without units, and where the reference's mean score is too low.
 */
export function clipScoreChange(scores: readonly number[], reference: readonly number[]): Estimate | null {
  if (reference.length === 0 || mean(reference) < LEAST_SCORE) return null;
  const { mean: ratio, low, high, n } = ratioEstimate(scores, reference);
  const percent = (v: number) => 100 * (v - 1);
  return {
    mean: percent(ratio),
    low: low === null ? null : percent(low),
    high: high === null ? null : percent(high),
    n,
  };
}
