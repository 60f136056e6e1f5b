/** Mean and standard deviation over all values of a tensor. */
import type { FloatTensor } from "../tensor/index.js";

/** Mean, and standard deviation with Bessel's correction, as torch.std. x [shape]. */
export function moments({ data }: FloatTensor): { readonly mean: number; readonly deviation: number } {
  let sum = 0;
  for (const value of data) sum += value;
  const mean = sum / data.length;
  let squares = 0;
  for (const value of data) squares += (value - mean) ** 2;
  return { mean, deviation: Math.sqrt(squares / (data.length - 1)) };
}
