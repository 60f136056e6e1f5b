/** Inputs of recorded networks. Runs in a page too. */
import { z } from "zod";
import { createRng, float, int, type Tensor } from "../../src/tensor/index.js";

/** An input: grown from a seed, or values in nested lists. */
export const inputSchema = z.union([
  z.object({ seed: z.number(), shape: z.array(z.number()), scale: z.number().default(1) }),
  z.object({ values: z.union([z.array(z.number()), z.array(z.array(z.number()))]) }),
]);
export type Input = z.output<typeof inputSchema>;

/** The tensor of an input: floats, or int64 with `whole`. */
export function tensorOf(input: Input, whole = false): Tensor {
  if ("seed" in input) {
    const { data } = createRng(input.seed).randn(input.shape);
    return float(
      input.shape,
      data.map((v) => Math.fround(v * input.scale)),
    );
  }
  const inner = input.values.find((row): row is number[] => Array.isArray(row));
  const shape = inner ? [input.values.length, inner.length] : [input.values.length];
  const values = input.values.flat();
  return whole ? int(shape, values) : float(shape, Float32Array.from(values));
}
