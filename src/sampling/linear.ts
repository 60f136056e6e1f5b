/** Weighted sums of tensors, the only operation solvers apply to latents. Accumulated in float64, stored as float32. */
import { type FloatTensor, float } from "../tensor/index.js";

/** Σ weight · tensor, every tensor [shape] → [shape]. A tensor with weight 0 is skipped. @throws RangeError when lengths differ */
export function combine(first: Term, ...rest: readonly Term[]): FloatTensor {
  const { shape, data } = first[1];
  const sum = new Float64Array(data.length);
  for (const [weight, tensor] of [first, ...rest]) {
    if (tensor.data.length !== data.length) {
      throw new RangeError(`cannot add [${tensor.shape.join(", ")}] to [${shape.join(", ")}]`);
    }
    if (weight !== 0) for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + weight * (tensor.data[i] ?? 0);
  }
  return float(shape, Float32Array.from(sum));
}

export type Term = readonly [weight: number, tensor: FloatTensor];
