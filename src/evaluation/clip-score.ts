/** CLIP score of an image and a text, and how it changes between two sets of images. */
import { cosineDistance, type Estimate, mean, ratioEstimate } from "../metrics/index.js";

/** CLIP score (Hessel et al. 2021) without its factor of 2.5: 100 · max(cos, 0). image, text [P]. */
export const clipScore = (image: Float32Array, text: Float32Array): number =>
  100 * Math.max(0, 1 - cosineDistance(image, text));

/** Mean score below which CLIP does not see the text in the images: a change in percent of it says nothing. */
const FAINT = 10;

/**
 * Change of the CLIP score in percent of the reference's (table 1 of Gandikota and Bau 2025). Both are scores by unit, a prompt or a
 * seed, in the same order. It is the ratio of the mean scores, not the mean of their ratios: single images may score next to nothing,
 * and a ratio by such a score is anything. Null without units, and where the reference's images do not show the text.
 */
export function clipScoreChange(scores: readonly number[], reference: readonly number[]): Estimate | null {
  if (reference.length === 0 || mean(reference) < FAINT) return null;
  const { mean: ratio, low, high, n } = ratioEstimate(scores, reference);
  const percent = (v: number) => 100 * (v - 1);
  return {
    mean: percent(ratio),
    low: low === null ? null : percent(low),
    high: high === null ? null : percent(high),
    n,
  };
}
