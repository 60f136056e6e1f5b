/** Paths of a pair → its configs, weight indices and tokenizers, checked against each other. Starts no runtime. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { type PairParts, readParts } from "../assembly/index.js";
import { disk } from "../checkpoint/node/index.js";
import type { LookupOptions } from "../lookup/index.js";
import { knownBase, knownDistilled, suggestionsFor } from "./evidence.js";
import type { LocatedPair } from "./locate.js";
import { withPublishedParts } from "./published.js";

/** Pair read from files, without a runtime. */
export interface PairFiles extends PairParts {
  readonly row: LocatedPair["row"];
  readonly lookup: LookupOptions;
  readonly located: LocatedPair;
}

/**
 * Reads a pair. Of weight files only headers are read, when first needed.
 * @throws FileError, UnsupportedConfigError when a part cannot be used; RequestError when the parts do not fit together
 */
export async function readPair(given: LocatedPair): Promise<PairFiles> {
  const located = await withPublishedParts(given);
  const { row, lookup, base, distilled } = located;
  const parts = await readParts(disk, located, {
    base: () => knownBase(base),
    distilled: async (facts) => distilled && knownDistilled(distilled, facts),
    schedulerOf(known) {
      const named = row && row.distilled === distilled?.ref ? row : null;
      const config = named ? named.distilledScheduler : known?.scheduler;
      const pair = named?.name ?? known?.pair;
      return config && pair ? { config, pair } : null;
    },
  });
  return {
    ...parts,
    row,
    located,
    lookup,
    base: { ...parts.base, ...placeIn(base.path, located) },
    distilled: parts.distilled && { ...parts.distilled, ...placeIn(distilled?.path ?? "", located) },
    suggestions: distilled ? suggestionsFor(distilled, parts.family) : [],
  };
}

/** Path of a model if model folders are searched, since its name is not valid without them. */
const placeIn = (path: string, { lookup: { modelFolders = [] } }: LocatedPair): { readonly path?: string } =>
  modelFolders.length > 0 && existsSync(path) ? { path: resolve(path) } : {};
