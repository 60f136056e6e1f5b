/** Derived weights: tensors that are dequantised or quantised before ONNX Runtime can use them. */
import { BYTES, count, type Weight, type WeightType } from "../tensor/index.js";
import { readFloats } from "./weights.js";

/** A weight, and the tensors derived from it: of its values, or of its blocks as they are stored. */
export type Derivation = Derived & (OfValues | OfBlocks);

interface Derived {
  readonly from: Weight;
  /** Name of the conversion. */
  readonly by: string;
  readonly makes: readonly { readonly name: string; readonly dtype: WeightType; readonly shape: readonly number[] }[];
}

interface OfValues {
  /** Converts the weight's values to the bytes of each derived tensor, in order. */
  readonly make: (values: Float32Array) => readonly Uint8Array[];
}

interface OfBlocks {
  /** Reads the weight's blocks and converts them to the bytes of each derived tensor, in order. */
  readonly makeOfBlocks: () => Promise<readonly Uint8Array[]>;
}

/** Bytes of each derived tensor, in order. */
export const makeDerived = async (derivation: Derivation): Promise<readonly Uint8Array[]> =>
  "make" in derivation ? derivation.make(await readFloats(derivation.from)) : derivation.makeOfBlocks();

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
  for (const derivation of derivations) {
    const { from, makes } = derivation;
    const parts = await makeDerived(derivation);
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
