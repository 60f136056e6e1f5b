/** Semantic variety: which value of an attribute each picture shows, named by CLIP without training, and how evenly they occur. */
import { entropy } from "./diversity.js";

/** An attribute that pictures of the world may have, with a text for each of its values. */
export interface Attribute {
  readonly name: string;
  readonly values: readonly string[];
}

/** Cosines of a picture [d] with each text [values][d], times `scale`. */
function logits(picture: Float32Array, texts: readonly Float32Array[], scale: number): number[] {
  const length = (v: Float32Array) => Math.sqrt(v.reduce((s, x) => s + x * x, 0)) || 1;
  const own = length(picture);
  return texts.map((t) => (scale * t.reduce((s, x, i) => s + x * (picture[i] ?? 0), 0)) / (own * length(t)));
}

/** Values [n] → shares [n] that add up to 1. */
export function softmax(values: ArrayLike<number>): number[] {
  const all = Array.from(values);
  const top = Math.max(...all);
  const e = all.map((v) => Math.exp(v - top));
  const sum = e.reduce((s, v) => s + v, 0);
  return e.map((v) => v / sum);
}

/**
 * The leaning of the texts themselves: mean probability of each value over pictures without content (Zhao et al. 2021, contextual
 * calibration). Dividing by it takes the leaning away without looking at the pictures that are measured, whose variety it would hide.
 */
export function leaning(contentFree: readonly Float32Array[], texts: readonly Float32Array[], scale = 100): number[] {
  const each = contentFree.map((f) => softmax(logits(f, texts, scale)));
  return texts.map((_, v) => each.reduce((s, p) => s + (p[v] ?? 0), 0) / each.length);
}

/** What a picture shows: index of the value, and its probability after calibration. */
export interface Shown {
  readonly value: number;
  readonly probability: number;
}

/** Names the value of one attribute in every picture [n][d]; `prior` is the texts' leaning (default: none). */
export function nameValues(
  pictures: readonly Float32Array[],
  texts: readonly Float32Array[],
  prior?: readonly number[],
  scale = 100,
): Shown[] {
  return pictures.map((picture) => {
    const raw = logits(picture, texts, scale);
    const p = softmax(raw.map((l, v) => l - (prior ? Math.log(Math.max(1e-12, prior[v] ?? 1)) : 0)));
    const value = p.indexOf(Math.max(...p));
    return { value, probability: p[value] ?? 0 };
  });
}

/** Entropy of the shown values, in nats: 0 when all pictures show the same, ln k when k values are equally frequent. */
export const shownEntropy = (shown: readonly Shown[]): number => entropy(shown.map((s) => s.value));
