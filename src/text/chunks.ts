/** Chunks of a prompt: token sequences that fit a text encoder, which encodes each by itself. */
import type { PromptSyntax } from "./syntax.js";

/** Tokens of a chunk with their weights, without start token, end token and padding. */
export interface Chunk {
  readonly ids: readonly number[];
  readonly weights: readonly number[];
}

/** A piece of a prompt as tokens. A unit is one token, or all tokens of a textual inversion. */
export type TokenizedPiece =
  | { readonly kind: "text" | "embedding"; readonly units: readonly (readonly number[])[]; readonly weight: number }
  | { readonly kind: "break" };

export interface ChunkLimits {
  /** Tokens of a chunk, 75 for CLIP. */
  readonly length: number;
  /** Id of the comma; undefined where the vocabulary has none. */
  readonly comma: number | undefined;
}

interface OpenChunk {
  ids: number[];
  weights: number[];
}

/** Chunks under construction: the last one is open. */
function chunkList() {
  const chunks: OpenChunk[] = [{ ids: [], weights: [] }];
  const open = (): OpenChunk => chunks[chunks.length - 1] ?? { ids: [], weights: [] };
  return {
    chunks,
    open,
    next: () => chunks.push({ ids: [], weights: [] }),
    add(ids: readonly number[], weight: number) {
      open().ids.push(...ids);
      open().weights.push(...ids.map(() => weight));
    },
  };
}

/** One chunk with what fits. */
function truncated(pieces: readonly TokenizedPiece[], { length }: ChunkLimits): readonly Chunk[] {
  const { chunks, open, add } = chunkList();
  for (const piece of pieces) {
    if (piece.kind !== "break") add(piece.units.flat().slice(0, length - open().ids.length), piece.weight);
  }
  return chunks;
}

/** Distance in tokens from the end of a full chunk in which a comma ends it earlier; A1111's default. */
const COMMA_DISTANCE = 20;

/**
 * Chunks of A1111. Where text goes on after a full chunk and a comma is among its last 20 tokens, what follows that comma moves to the
 * next chunk. A textual inversion is not split. BREAK ends a chunk, even an empty one.
 */
function a1111Chunks(pieces: readonly TokenizedPiece[], { length, comma }: ChunkLimits): readonly Chunk[] {
  const { chunks, open, next, add } = chunkList();
  /** Position of the last comma of the open chunk. */
  let last: number | null = null;
  const end = () => {
    next();
    last = null;
  };
  for (const piece of pieces) {
    if (piece.kind === "break") {
      end();
      continue;
    }
    for (const unit of piece.units) {
      const full = open();
      if (unit[0] === comma) last = full.ids.length;
      else if (full.ids.length === length && last !== null && length - last <= COMMA_DISTANCE) {
        const moved = { ids: full.ids.splice(last + 1), weights: full.weights.splice(last + 1) };
        end();
        open().ids.push(...moved.ids);
        open().weights.push(...moved.weights);
      }
      if (open().ids.length + Math.max(1, unit.length) > length) end();
      add(unit, piece.weight);
    }
  }
  if (chunks.length > 1 && open().ids.length === 0) chunks.pop();
  return chunks;
}

/** A group with fewer tokens is not split; ComfyUI's limit. */
const LARGE_GROUP = 8;

/** Chunks of ComfyUI. A piece of text, or a textual inversion, is split between chunks only from 8 tokens on. */
function comfyChunks(pieces: readonly TokenizedPiece[], { length }: ChunkLimits): readonly Chunk[] {
  const { chunks, open, next, add } = chunkList();
  for (const piece of pieces) {
    if (piece.kind === "break") continue;
    let group = piece.units.flat();
    const splits = group.length >= LARGE_GROUP;
    while (open().ids.length + group.length > length) {
      const room = splits ? length - open().ids.length : 0;
      add(group.slice(0, room), piece.weight);
      group = group.slice(room);
      next();
    }
    add(group, piece.weight);
  }
  return chunks;
}

/** How each syntax makes chunks of a prompt; always at least one. */
export const CHUNKS: {
  readonly [S in PromptSyntax]: (pieces: readonly TokenizedPiece[], limits: ChunkLimits) => readonly Chunk[];
} = { plain: truncated, a1111: a1111Chunks, comfy: comfyChunks };
