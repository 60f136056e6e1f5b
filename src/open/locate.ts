/** References of a pair → local paths. Downloads missing files from the Hub; opens none. */
import path from "node:path";
import type { Tokenizers } from "../assembly/index.js";
import { type PairRow, pairNamed } from "../catalogue/index.js";
import { readPairs } from "../catalogue/node/index.js";
import { type LookupOptions, locate, resolveReference, tokenizersIn } from "../lookup/index.js";
import type { OpenOptions, PairReference } from "./reference.js";

/** Reference of a model and its local path. */
export interface Located {
  readonly ref: string;
  readonly path: string;
  /** Pairs that the model may be recognised as: none for a model of the named pair, or where the request names a pair. */
  readonly candidates: readonly PairRow[];
}

export interface LocatedPair {
  readonly row: PairRow | null;
  readonly base: Located;
  readonly distilled: Located | null;
  readonly textEncoders: readonly string[];
  readonly decoder: string | null;
  readonly tokenizer: string | null;
  /** Tokenizers of ComfyUI's, by kind of text encoder. */
  readonly tokenizers: Tokenizers;
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
  const named = await rowOf(reference);
  const lookup = lookupOptionsOf(reference, options);
  const rows = reference.pair === undefined ? await readPairs(reference.pairs) : [];
  const find = async (ref: string, kind: "pipeline" | "unet", given: boolean): Promise<Located> => ({
    ref,
    path: await locate(ref, kind, lookup),
    candidates: given ? rows : [],
  });
  const base = await find(reference.base ?? named?.base ?? "", "pipeline", reference.base !== undefined);
  const distilledRef = reference.distilled ?? (reference.base === undefined ? named?.distilled : undefined);
  const textEncoders: string[] = [];
  for (const ref of reference.textEncoders ?? []) textEncoders.push(await locate(ref, "text encoder", lookup));
  const distilled =
    distilledRef === undefined ? null : await find(distilledRef, "unet", reference.distilled !== undefined);
  const row = named ?? rowWith(base, distilled);
  return {
    row,
    base,
    distilled,
    textEncoders,
    decoder: reference.decoder === undefined ? null : await locate(reference.decoder, "autoencoder", lookup),
    tokenizer: reference.tokenizer === undefined ? null : await locate(reference.tokenizer, "tokenizer", lookup),
    tokenizers: tokenizersIn(reference.modelFolders ?? []),
    lookup: { ...lookup, pairAdapters: row?.trial?.controls.map((control) => control.ref) ?? [] },
  };
}

/** True if another reference leads to the path of a located one. */
export const leadsTo =
  ({ ref, path: place }: Located) =>
  (other: string): boolean =>
    other === ref || path.resolve(resolveReference(other)) === path.resolve(place);

/** The row with both models of a pair that was opened without its name. */
const rowWith = (base: Located, distilled: Located | null): PairRow | null =>
  (distilled && base.candidates.find((row) => leadsTo(base)(row.base) && leadsTo(distilled)(row.distilled))) ?? null;

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
