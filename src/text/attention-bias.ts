/** Attention biases of text encoders: which tokens each token reads. */
import { HIDDEN } from "../models/index.js";
import { type FloatTensor, float } from "../tensor/index.js";

/** Bias [1, 1, L, L] with which token i of L reads the first `reads(i)` tokens. */
export function attentionBias(length: number, reads: (i: number) => number): FloatTensor {
  const data = new Float32Array(length * length).fill(HIDDEN);
  for (let i = 0; i < length; i++) data.fill(0, i * length, i * length + reads(i));
  return float([1, 1, length, length], data);
}
