/** Zero-shot classification: the value of an attribute that an image shows, from its features and those of one text a value. */
import { softmax } from "./softmax.js";

/** Cosines of an image [d] with each text [values][d], times `scale`. */
function logits(image: Float32Array, texts: readonly Float32Array[], scale: number): number[] {
  const length = (v: Float32Array) => Math.sqrt(v.reduce((s, x) => s + x * x, 0)) || 1;
  const own = length(image);
  return texts.map((t) => (scale * t.reduce((s, x, i) => s + x * (image[i] ?? 0), 0)) / (own * length(t)));
}

/**
 * Prior of the values: their mean probability over images without content (Zhao et al. 2021, contextual calibration). Dividing by it
 * removes the texts' own bias without looking at the images that are measured, whose diversity it would hide.
 */
export function prior(contentFree: readonly Float32Array[], texts: readonly Float32Array[], scale = 100): number[] {
  const each = contentFree.map((f) => softmax(logits(f, texts, scale)));
  return texts.map((_, v) => each.reduce((s, p) => s + (p[v] ?? 0), 0) / each.length);
}

export interface PredictedValue {
  /** Index of the value. */
  readonly value: number;
  /** After calibration. */
  readonly probability: number;
}

/** Predicts the value of one attribute for every image [n][d]; `given` is the values' prior (default: uniform). */
export function predictValues(
  images: readonly Float32Array[],
  texts: readonly Float32Array[],
  given?: readonly number[],
  scale = 100,
): PredictedValue[] {
  return images.map((image) => {
    const raw = logits(image, texts, scale);
    const p = softmax(raw.map((l, v) => l - (given ? Math.log(Math.max(1e-12, given[v] ?? 1)) : 0)));
    const value = p.indexOf(Math.max(...p));
    return { value, probability: p[value] ?? 0 };
  });
}
