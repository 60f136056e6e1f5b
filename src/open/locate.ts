/** References of a pair → local paths. Downloads missing files from the Hub; opens none. */
import { type PairRow, pairNamed, readPairs } from "../catalogue/index.js";
import { type LookupOptions, locate } from "../lookup/index.js";
import type { OpenOptions, PairReference } from "./reference.js";

/** Reference and its local path. */
export interface Located {
  readonly ref: string;
  readonly path: string;
}

export interface LocatedPair {
  readonly row: PairRow | null;
  readonly base: Located;
  readonly distilled: Located | null;
  readonly textEncoders: readonly string[];
  readonly decoder: string | null;
  /** Lookup options for further references of the pair. */
  readonly lookup: LookupOptions;
}

/** Row of the named pair; null for a reference that names models. @throws RequestError with similar names */
export async function rowOf({ pair, pairs, base }: PairReference): Promise<PairRow | null> {
  if (pair === undefined && base !== undefined) return null;
  return pairNamed(pair ?? "embedded", await readPairs(pairs));
}

/** Locates all models of a pair. @throws FileError with the searched places; RequestError for an ambiguous name */
export async function locatePair(reference: PairReference, options: OpenOptions): Promise<LocatedPair> {
  const row = await rowOf(reference);
  const lookup = lookupOptionsOf(reference, options);
  const base = reference.base ?? row?.base ?? "";
  const distilled = reference.distilled ?? (reference.base === undefined ? row?.distilled : undefined);
  const textEncoders: string[] = [];
  const located = { ref: base, path: await locate(base, "pipeline", lookup) };
  for (const ref of reference.textEncoders ?? []) textEncoders.push(await locate(ref, "text encoder", lookup));
  return {
    row,
    base: located,
    distilled: distilled === undefined ? null : { ref: distilled, path: await locate(distilled, "unet", lookup) },
    textEncoders,
    decoder: reference.decoder === undefined ? null : await locate(reference.decoder, "autoencoder", lookup),
    lookup,
  };
}

/** Lookup options of a pair, for later references. */
const lookupOptionsOf = (
  { modelFolders, variant }: PairReference,
  { signal, onDownload }: Pick<OpenOptions, "signal" | "onDownload">,
): LookupOptions => ({
  ...(modelFolders && { modelFolders }),
  ...(variant && { variant }),
  ...(signal && { signal }),
  ...(onDownload && { onDownload }),
});
