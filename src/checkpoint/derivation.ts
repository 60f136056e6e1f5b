/** Derived weights: those that must be unpacked or quantised before ONNX Runtime can compute with them. */
import { BYTES, count, type Weight, type WeightType } from "../tensor/index.js";
import { readFloats } from "./weights.js";

/** One weight, and the tensors that are made from it. */
export interface Derivation {
  readonly from: Weight;
  /** Names the conversion. */
  readonly by: string;
  readonly makes: readonly { readonly name: string; readonly dtype: WeightType; readonly shape: readonly number[] }[];
  /** The weight's values → the bytes of each tensor that it makes, in order. */
  readonly make: (values: Float32Array) => readonly Uint8Array[];
}

/** Progress in bytes. */
export type DeriveProgress = (done: number, total: number) => void;

/** Makes tensors, or finds those that were made before, by name. */
export type Derive = (
  derivations: readonly Derivation[],
  onProgress?: DeriveProgress,
) => Promise<ReadonlyMap<string, Weight>>;

/** Derives in memory: nothing is kept for a later call. */
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

/** Bytes of all tensors that are made. */
export const derivedBytes = (derivations: readonly Derivation[]): number =>
  derivations.flatMap((d) => d.makes).reduce((n, m) => n + count(m.shape) * BYTES[m.dtype], 0);
