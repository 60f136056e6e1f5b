/** References of a pair → local paths. Fetches from the Hub what is not there; opens nothing. */
import { type PairRow, pairNamed, readPairs } from "../catalogue/index.js";
import { type LookupOptions, locate } from "../lookup/index.js";
import type { OpenOptions, PairReference } from "./reference.js";

/** A reference and where it lies. */
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
  /** How further references of the pair are looked up. */
  readonly lookup: LookupOptions;
}

/** The row that a reference names; null where it gives models instead. @throws RequestError with the nearest names */
export async function rowOf({ pair, pairs, base }: PairReference): Promise<PairRow | null> {
  if (pair === undefined && base !== undefined) return null;
  return pairNamed(pair ?? "embedded", await readPairs(pairs));
}

/** @throws FileError that lists where a reference was looked for; RequestError when a name could mean several */
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

/** The part of a reference and its options that later look-ups need. */
const lookupOptionsOf = (
  { modelFolders, variant }: PairReference,
  { signal, onDownload }: Pick<OpenOptions, "signal" | "onDownload">,
): LookupOptions => ({
  ...(modelFolders && { modelFolders }),
  ...(variant && { variant }),
  ...(signal && { signal }),
  ...(onDownload && { onDownload }),
});
