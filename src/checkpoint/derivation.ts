/** Derived weights: tensors that are dequantised or quantised before ONNX Runtime can use them. */
import { BYTES, count, type Weight, type WeightType } from "../tensor/index.js";
import { readFloats } from "./weights.js";

/** A weight, and the tensors derived from it. */
export interface Derivation {
  readonly from: Weight;
  /** Name of the conversion. */
  readonly by: string;
  readonly makes: readonly { readonly name: string; readonly dtype: WeightType; readonly shape: readonly number[] }[];
  /** Converts the weight's values to the bytes of each derived tensor, in order. */
  readonly make: (values: Float32Array) => readonly Uint8Array[];
}

/** Progress in bytes. */
export type DeriveProgress = (done: number, total: number) => void;

/** Provides derived tensors by name, from an earlier call where possible. */
export type Derive = (
  derivations: readonly Derivation[],
  onProgress?: DeriveProgress,
) => Promise<ReadonlyMap<string, Weight>>;

/** Derives in memory, without a cache. */
export const deriveInMemory: Derive = async (derivations, onProgress = () => {}) => {
  const total = derivedBytes(derivations);
  const made = new Map<string, Weight>();
  let done = 0;
  for (const { from, makes, make } of derivations) {
    const parts = make(await readFloats(from));
    for (const [i, { name, dtype, shape }] of makes.entries()) {
      const bytes = parts[i] ?? new Uint8Array();
      made.set(name, { name, dtype, shape, bytes: { in: "memory", source: from.bytes.source, bytes } });
      done += bytes.length;
    }
    onProgress(done, total);
  }
  return made;
};

/** Total size of the derived tensors in bytes. */
export const derivedBytes = (derivations: readonly Derivation[]): number =>
  derivations.flatMap((d) => d.makes).reduce((n, m) => n + count(m.shape) * BYTES[m.dtype], 0);
