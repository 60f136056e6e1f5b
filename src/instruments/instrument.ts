/** An instrument: a network that reads images, with the facts of it that belong beside every number it gives. */
import { type FloatTensor, type RgbImage, sample, type WeightIndex } from "../tensor/index.js";

/** Weight files with the SHA-256 of their bytes, by base name. */
export type HashedFiles = readonly { readonly file: string; readonly sha256: string }[];

/** The network behind a number, for reports. */
export interface InstrumentFacts {
  readonly name: string;
  readonly network: string;
  /** The files of the weights and the hash of their bytes. */
  readonly weights: HashedFiles;
  /** Steps from an image's pixels to the network's input. */
  readonly preparation: string;
}

/** Measures how different two images are. */
export interface Instrument {
  readonly facts: InstrumentFacts;
  /** Distance of two images: 1 − cosine of their features, or the squared length of their difference. */
  readonly distance: "cosine" | "squared";
  features(images: readonly RgbImage[]): Promise<Float32Array[]>;
}

/** Images in one call of an instrument. */
const TOGETHER = 32;

/** Runs over `images` in batches; results in order. */
export async function inBatches<T>(
  images: readonly RgbImage[],
  run: (some: readonly RgbImage[]) => Promise<T[]>,
  together = TOGETHER,
): Promise<T[]> {
  const all: T[] = [];
  for (let at = 0; at < images.length; at += together) all.push(...(await run(images.slice(at, at + together))));
  return all;
}

/** x [B, D] → B rows. */
export const rows = (x: FloatTensor): Float32Array[] =>
  Array.from({ length: x.shape[0] ?? 0 }, (_, i) => sample(x, i).data);

/** Files that hold the weights. */
export const filesOf = (index: WeightIndex): string[] =>
  [...new Set([...index.weights.values()].map(({ bytes: { source } }) => source.path ?? source.name))].sort();
