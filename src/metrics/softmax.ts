/** The softmax function. */

/** Logits [n] → probabilities [n], which sum to 1. */
export function softmax(values: ArrayLike<number>): number[] {
  const all = Array.from(values);
  const top = Math.max(...all);
  const e = all.map((v) => Math.exp(v - top));
  const sum = e.reduce((s, v) => s + v, 0);
  return e.map((v) => v / sum);
}
