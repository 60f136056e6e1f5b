/** Descriptions of stored weights: a range of bytes in a source, or bytes in memory. Reads no bytes. */
import type { ByteSource, SourceName } from "./source.js";

/** Element types of checkpoints. */
export type WeightType =
  | "float64"
  | "float32"
  | "float16"
  | "bfloat16"
  | "int64"
  | "int32"
  | "int16"
  | "int8"
  | "uint8"
  | "bool";

/** Bytes of one element. */
export const BYTES: { readonly [T in WeightType]: number } = {
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  int16: 2,
  int8: 1,
  uint8: 1,
  bool: 1,
};

/** Block formats of ggml, with the number of values and bytes of a block, each with its own scales; and float8, of one value a block. */
export const BLOCKS = {
  q4_0: { values: 32, bytes: 18 },
  q4_1: { values: 32, bytes: 20 },
  q5_0: { values: 32, bytes: 22 },
  q5_1: { values: 32, bytes: 24 },
  q8_0: { values: 32, bytes: 34 },
  q2_k: { values: 256, bytes: 84 },
  q3_k: { values: 256, bytes: 110 },
  q4_k: { values: 256, bytes: 144 },
  q5_k: { values: 256, bytes: 176 },
  q6_k: { values: 256, bytes: 210 },
  iq4_nl: { values: 32, bytes: 18 },
  iq4_xs: { values: 256, bytes: 136 },
  f8_e4m3: { values: 1, bytes: 1 },
  f8_e5m2: { values: 1, bytes: 1 },
} as const satisfies Readonly<Record<string, { readonly values: number; readonly bytes: number }>>;
/** Name of a block format. */
export type BlockFormat = keyof typeof BLOCKS;

/** Integer codes of a matrix that stays packed: two of four bits in a byte ("int4" with 8 added, as MatMulNBits takes them), or int8. */
export type Code = "int4" | "uint4" | "int8";
/** Bits of a code. */
export const CODE_BITS: { readonly [C in Code]: number } = { int4: 4, uint4: 4, int8: 8 };

/** Formats whose matrices can stay packed: type of the codes, number of values with one scale, and whether there are minima. */
export const PACKED = {
  q4_0: { code: "int4", run: 32, minima: false },
  q4_1: { code: "uint4", run: 32, minima: true },
  q5_0: { code: "int8", run: 32, minima: false },
  q5_1: { code: "int8", run: 32, minima: true },
  q8_0: { code: "int8", run: 32, minima: false },
  q2_k: { code: "uint4", run: 16, minima: true },
  q3_k: { code: "int4", run: 16, minima: false },
  q4_k: { code: "uint4", run: 32, minima: true },
  q5_k: { code: "int8", run: 32, minima: true },
  q6_k: { code: "int8", run: 16, minima: false },
  iq4_nl: { code: "int8", run: 32, minima: false },
  iq4_xs: { code: "int8", run: 32, minima: false },
} as const satisfies {
  readonly [F in Exclude<BlockFormat, `f8_${string}`>]: {
    readonly code: Code;
    readonly run: number;
    readonly minima: boolean;
  };
};
/** Name of a block format of integer codes. */
export type PackedFormat = keyof typeof PACKED;

export const isPacked = (format: BlockFormat): format is PackedFormat => Object.hasOwn(PACKED, format);

/** Little-endian, row-major, contiguous bytes: a range of a source, or an array in memory with the origin of its values. */
export type StoredBytes =
  | { readonly in: "source"; readonly source: ByteSource; readonly offset: number; readonly length: number }
  | { readonly in: "memory"; readonly source: SourceName; readonly bytes: Uint8Array };

/** Quantised blocks in a source, which decode to float32. The first `skip` values of the first block are not part of the weight. */
export interface BlockBytes {
  readonly in: "blocks";
  readonly source: ByteSource;
  readonly offset: number;
  readonly length: number;
  readonly format: BlockFormat;
  readonly skip: number;
  /** Factor of all values, as float8 files store it beside a tensor; default 1. */
  readonly scale?: number;
}

/** Bytes in a format that is not supported, such as "F4". Reading them is an error; a tensor that no layer needs is none. */
export interface UnsupportedBytes {
  readonly in: "unsupported";
  readonly source: ByteSource;
  readonly offset: number;
  readonly length: number;
  readonly format: string;
}

/** Stored bytes of a weight. */
export type WeightBytes = StoredBytes | BlockBytes | UnsupportedBytes;

/** A weight. `name` is its name in the checkpoint. */
export interface Weight {
  readonly name: string;
  readonly dtype: WeightType;
  readonly shape: readonly number[];
  readonly bytes: WeightBytes;
  /**
   * Scales of a quantised matrix [O, I], stored as unsigned codes: float32 [O, I / n], value = (code − 2^(bits − 1)) · scale of its block
   * of n.
   */
  readonly scales?: Weight;
  /** Bits of those codes; default 8. Of four bits, two are in a byte, the first in its low half. */
  readonly bits?: 4 | 8;
  /** Set for a matrix [O, I] whose bytes are integer codes; they become float32 when the matrix is used. */
  readonly packed?: Packed;
}

/** Codes of a packed matrix [O, I] that is cast in the graph, and tensors float32 [O, I / n]: value = code · scale (+ minimum) of its run of n. */
export interface Packed {
  readonly code: Exclude<Code, "int4">;
  readonly scales: Weight;
  readonly minima?: Weight;
}

/** Storage format of a weight. */
export const storedAs = ({ dtype, bytes }: Weight): string =>
  bytes.in === "blocks" || bytes.in === "unsupported" ? bytes.format : dtype;

/** Stored size of a weight in bytes. */
export const storedBytes = ({ bytes }: Weight): number => (bytes.in === "memory" ? bytes.bytes.length : bytes.length);

/** Bytes of `n` values of a weight from index `from` on, as a view: [n] of the same type. */
export function valuesFrom({ dtype, bytes }: Weight, from: number, n: number): WeightBytes {
  const size = BYTES[dtype];
  if (bytes.in === "source") return { ...bytes, offset: bytes.offset + from * size, length: n * size };
  if (bytes.in === "memory") return { ...bytes, bytes: bytes.bytes.subarray(from * size, (from + n) * size) };
  if (bytes.in === "unsupported") return bytes;
  const block = BLOCKS[bytes.format];
  const start = bytes.skip + from;
  const [first, end] = [Math.floor(start / block.values), Math.ceil((start + n) / block.values)];
  return {
    ...bytes,
    offset: bytes.offset + first * block.bytes,
    length: (end - first) * block.bytes,
    skip: start - first * block.values,
  };
}

/** Weights of one component, by their names in the checkpoint. `source` is the file or folder, for messages. */
export interface WeightIndex {
  readonly source: string;
  readonly weights: ReadonlyMap<string, Weight>;
}
