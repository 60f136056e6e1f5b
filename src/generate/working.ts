/** Working memory of a pair's model calls, estimated from its graphs, and how near the estimates are: docs/memory.md. */
import { arenaBytes, type Graph } from "../graph/index.js";
import type { ImageSize } from "../models/index.js";
import { castBytes } from "../networks/index.js";
import type { WeightIndex } from "../tensor/index.js";

/** Bytes that the calls of each part take beside its weights. */
export interface Working {
  /** Of the casts only: activations of a prompt are small. */
  readonly text: number;
  readonly base: number;
  readonly distilled: number;
  readonly decoder: number;
}

/** Tables of embeddings, of which only rows are cast. */
const TABLE = /(embed_tokens|token_embedding|shared)\./;

/** Bytes in which weights become float32 in every call: half precision, and blocks that stay packed. */
export const castsOf = ({ weights }: WeightIndex): number =>
  castBytes(
    [...weights].flatMap(([name, w]) =>
      (w.dtype.endsWith("float16") || w.bytes.in === "blocks") && !TABLE.test(name) ? [w] : [],
    ),
  );

/**
 * Bytes of decoding an image of a size, which takes `whole` in one piece; in tiles where these take less. Between two stages tiled decoding
 * keeps 256 channels of the image and 128 more in float32, and 0.4 GB for a tile.
 */
export const decodingBytes = (whole: number, { width, height }: ImageSize): number =>
  Math.min(whole, 1536 * width * height + 4e8);

/** Bytes of a call of a graph with one sample. */
export const callBytes = (graph: Graph): number => arenaBytes(graph, 1);
