/** Checks weights and outputs of networks for NaN and infinity, and finds the weight that an output's come from. */
import { readFloats } from "../checkpoint/index.js";
import { NonFiniteError, NonFiniteTensorError } from "../errors.js";
import type { FloatTensor, Weight, WeightIndex } from "../tensor/index.js";
import { floats } from "./floats.js";

/** A call of a network, for messages. */
export interface Call {
  /** Name of the network, such as "the base denoiser". */
  readonly network: string;
  /** The call, such as "row 2 (timestep 499)". */
  readonly at: string;
  readonly weights: () => Promise<WeightIndex>;
}

/** Output of a network as floats, checked to be finite. Weights are read only if it is not. @throws NonFiniteError naming the damaged weight */
export async function finite(
  value: Parameters<typeof floats>[0],
  { network, at, weights }: Call,
): Promise<FloatTensor> {
  const output = floats(value);
  if (areFinite(output.data)) return output;
  const index = await weights();
  const damaged = await damagedIn(index);
  throw new NonFiniteError({ network, at, file: damaged?.file ?? index.source, tensor: damaged?.tensor ?? null });
}

/** True without NaN and infinity. A loop, since a callback for each value takes twice as long; 0 · x is NaN for both. */
export function areFinite(values: Float32Array): boolean {
  let sum = 0;
  for (const value of values) sum += value * 0;
  return sum === 0;
}

/** The first weight with NaN or infinity; null if there is none. */
async function damagedIn({ weights }: WeightIndex): Promise<{ file: string; tensor: string } | null> {
  for (const [tensor, weight] of weights) {
    if (!areFinite(await readFloats(weight))) return { file: weight.bytes.source.name, tensor };
  }
  return null;
}

/** Magnitude from which a value rounds to infinity. */
const OVERFLOW = { float32: Number.POSITIVE_INFINITY, float16: 65520 } as const;

/** Checks a weight's values. @throws NonFiniteTensorError with the first value that is not finite in `dtype` */
export function mustBeFinite(
  { name, bytes }: Weight,
  values: Float32Array,
  dtype: keyof typeof OVERFLOW = "float32",
): void {
  const limit = OVERFLOW[dtype];
  // A loop, since a callback for each of billions of values takes seconds.
  for (const value of values) {
    if (!(Math.abs(value) < limit)) throw new NonFiniteTensorError({ file: bytes.source.name, tensor: name, value });
  }
}
