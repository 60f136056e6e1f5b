/** A weight where it lies: a description of bytes in a file (or, when they had to be rearranged, in memory). Nothing here reads them. */

/** Element types that checkpoints hold. */
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

/** Little-endian, row-major, contiguous bytes in a file (`file` is a real path, symlinks resolved), or held in memory. */
export type WeightBytes =
  | { readonly in: "file"; readonly file: string; readonly offset: number; readonly length: number }
  | { readonly in: "memory"; readonly file: string; readonly bytes: Uint8Array };

/** One named weight. `name` is the checkpoint's own. */
export interface Weight {
  readonly name: string;
  readonly dtype: WeightType;
  readonly shape: readonly number[];
  readonly bytes: WeightBytes;
}

/** All weights of one component by the checkpoint's own names; `source` names the file or folder in messages. */
export interface WeightIndex {
  readonly source: string;
  readonly weights: ReadonlyMap<string, Weight>;
  /** Layers that are drawn with a low-rank change beside them, whose factors are inputs of the graph. */
  readonly live?: ReadonlySet<string>;
  /** Weights that are not taken from here but come as inputs of the graph, by their own names. */
  readonly given?: ReadonlySet<string>;
  /** Makes up a weight that is not stored: for timing a network that nobody has a checkpoint of. */
  readonly imagine?: (name: string, shape: readonly number[]) => Weight;
}
