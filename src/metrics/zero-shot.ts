/** Zero-shot classification (Radford et al. 2021, §3.1): predicts an attribute of images from their features and one text per value. */
import { softmax } from "./softmax.js";

/** Logits [values]: `scale` times the cosine of an image [d] and each text [values][d]. */
function logits(image: Float32Array, texts: readonly Float32Array[], scale: number): number[] {
  const length = (v: Float32Array) => Math.sqrt(v.reduce((s, x) => s + x * x, 0)) || 1;
  const own = length(image);
  return texts.map((t) => (scale * t.reduce((s, x, i) => s + x * (image[i] ?? 0), 0)) / (own * length(t)));
}

/**
 * Prior of the values [values]: their mean probability over images without content (contextual calibration: Zhao et al. 2021). Dividing by
 * it removes the bias of the texts. Estimating it from the measured images instead would hide their diversity.
 * @param scale inverse temperature; default 100, as in CLIP
 */
export function prior(contentFree: readonly Float32Array[], texts: readonly Float32Array[], scale = 100): number[] {
  const each = contentFree.map((f) => softmax(logits(f, texts, scale)));
  return texts.map((_, v) => each.reduce((s, p) => s + (p[v] ?? 0), 0) / each.length);
}

/** Most likely value of an attribute. */
export interface PredictedValue {
  /** Index of the value. */
  readonly value: number;
  /** Calibrated probability, 0…1. */
  readonly probability: number;
}

/**
 * Predicts one attribute of each image [n][d] from texts [values][d].
 * @param given prior of the values (see `prior`); default uniform
 * @param scale inverse temperature; default 100, as in CLIP
 */
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
