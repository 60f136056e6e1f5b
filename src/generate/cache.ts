/**
 * Results of a pair's earlier runs that later ones use again: conditioning by prompt, and the state of samples after each row. Bounded in
 * memory; the least recently used are dropped first.
 */
import type { Adapter } from "../adapters/index.js";
import { createRecent, type Recent } from "./recent.js";
import type { EncodedSides, RowState } from "./sample.js";

/** Cache of one pair. Pass the same one to each call of `generate`. */
export interface GenerateCache {
  readonly texts: Recent<EncodedSides>;
  readonly rows: Recent<RowState>;
  /** Adapters of earlier runs, which stay in the graph at scale 0, so that their session serves. */
  readonly adapters: WeakSet<Adapter>;
  /** A number that no other state has. */
  serial(): number;
}

/** Share of the memory for conditioning. */
const TEXTS = 1 / 4;

/** Creates a cache of at most so many bytes. */
export function createGenerateCache(bytes: number): GenerateCache {
  let last = 0;
  return {
    texts: createRecent(TEXTS * bytes),
    rows: createRecent((1 - TEXTS) * bytes),
    adapters: new WeakSet(),
    serial: () => ++last,
  };
}
