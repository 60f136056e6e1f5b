/** Reads weights into memory, with a few long reads instead of one per weight. */
import type { ByteSource, StoredBytes } from "../tensor/index.js";
import type { WeightBuffer } from "./protocol.js";
import type { Placement } from "./runtime.js";

/** Largest gap in bytes between weights of one source that are read together. */
const GAP = 1 << 20;
/** Largest read in bytes, except for a single larger weight. */
const LONGEST = 2 ** 28;

/** A range of a source, and the names of the weights in it. */
interface Range {
  readonly source: ByteSource;
  readonly from: number;
  to: number;
  readonly names: string[];
}

/** Weights in memory. */
export interface Buffered {
  readonly placed: ReadonlyMap<string, Placement>;
  readonly buffers: readonly WeightBuffer[];
  /** Buffers that were allocated for this, and may be transferred to another thread. */
  readonly own: readonly ArrayBufferLike[];
}

/** Reads weights into buffers. Weights in memory are not copied. @throws FileError when one cannot be read */
export async function bufferWeights(weights: ReadonlyMap<string, StoredBytes>): Promise<Buffered> {
  const placed = new Map<string, Placement>();
  const buffers: WeightBuffer[] = [];
  for (const [name, bytes] of weights) {
    if (bytes.in !== "memory") continue;
    const path = `memory/${name}`;
    buffers.push({ path, data: bytes.bytes });
    placed.set(name, { location: path, offset: 0, length: bytes.bytes.length });
  }
  const own: ArrayBufferLike[] = [];
  for (const { source, from, to, names } of rangesOf(weights)) {
    const path = `read/${own.length}`;
    const data = await source.read(from, to - from);
    own.push(data.buffer);
    buffers.push({ path, data });
    for (const name of names) {
      const bytes = weights.get(name);
      if (bytes?.in !== "source") continue;
      placed.set(name, { location: path, offset: bytes.offset - from, length: bytes.length });
    }
  }
  return { placed, buffers, own };
}

/** Ranges of sources that contain all weights; ranges with small gaps are merged. */
function rangesOf(weights: ReadonlyMap<string, StoredBytes>): Range[] {
  const bySource = new Map<ByteSource, { name: string; from: number; to: number }[]>();
  for (const [name, bytes] of weights) {
    if (bytes.in !== "source") continue;
    const { source, offset, length } = bytes;
    const parts = bySource.get(source) ?? [];
    parts.push({ name, from: offset, to: offset + length });
    bySource.set(source, parts);
  }
  const found: Range[] = [];
  for (const [source, parts] of bySource) {
    let last: Range | undefined;
    for (const { name, from, to } of parts.sort((a, b) => a.from - b.from)) {
      const near = last && from <= last.to + GAP && to - last.from <= LONGEST;
      if (!last || !near) {
        last = { source, from, to, names: [] };
        found.push(last);
      }
      last.to = Math.max(last.to, to);
      last.names.push(name);
    }
  }
  return found;
}
