/**
 * Zero-shot classification (Radford et al. 2021, §3.1): probabilities of an attribute's values from the features of an image and of one text
 * for each value.
 */
import { mean } from "./estimate.js";
import { softmax } from "./softmax.js";

/** Logits [values]: `scale` times the cosine of an image [d] and each text [values][d]. */
function logits(image: Float32Array, texts: readonly Float32Array[], scale: number): number[] {
  const length = (v: Float32Array) => Math.sqrt(v.reduce((s, x) => s + x * x, 0)) || 1;
  const own = length(image);
  return texts.map((t) => (scale * t.reduce((s, x, i) => s + x * (image[i] ?? 0), 0)) / (own * length(t)));
}

/**
 * Probabilities of one attribute's values [n][values] for images [n][d], from texts [values][d].
 * @param scale inverse temperature
 */
export const valueProbabilities = (
  images: readonly Float32Array[],
  texts: readonly Float32Array[],
  scale: number,
): number[][] => images.map((image) => softmax(logits(image, texts, scale)));

/** Search range of the inverse temperature, as shares of the largest. */
const LOWEST = 1e-3;
const TRIES = 121;

/**
 * Inverse temperature by maximum likelihood of labelled images (temperature scaling: Guo et al. 2017, §4.2), at most `largest`: a few images
 * that are all right would drive it to infinity, so it only ever makes predictions less certain. The likelihood is compared on a
 * logarithmic grid of 121 values from largest / 1000.
 * @param probabilities of the labels' images at a scale, [n][values]
 * @param labels index of the true value of each image
 */
export function fittedScale(
  probabilities: (scale: number) => readonly (readonly number[])[],
  labels: readonly number[],
  largest: number,
): number {
  const scales = Array.from({ length: TRIES }, (_, i) => largest * LOWEST ** (i / (TRIES - 1)));
  const loss = (scale: number) => {
    const p = probabilities(scale);
    return -mean(labels.map((label, i) => Math.log(Math.max(1e-12, p[i]?.[label] ?? 0))));
  };
  return scales.map((scale) => ({ scale, loss: loss(scale) })).reduce((a, b) => (b.loss < a.loss ? b : a)).scale;
}
