/** Interface of an instrument: a network that extracts features of images, with its provenance for reports. */
import { type FloatTensor, type RgbImage, sample, type WeightIndex } from "../tensor/index.js";

/** Weight files by base name, with the SHA-256 of their contents. */
export type HashedFiles = readonly { readonly file: string; readonly sha256: string }[];

/** Provenance of a measurement, for reports. */
export interface InstrumentFacts {
  readonly name: string;
  /** Network class or variant. */
  readonly network: string;
  readonly weights: HashedFiles;
  /** Preprocessing of images, in words. */
  readonly preparation: string;
}

/** Extracts features whose distance is a perceptual or semantic distance of images. */
export interface Instrument {
  readonly facts: InstrumentFacts;
  /** Distance of two images' features: 1 − cosine, or squared Euclidean distance. */
  readonly distance: "cosine" | "squared";
  /** Features of images, [D] each, in order. */
  features(images: readonly RgbImage[]): Promise<Float32Array[]>;
}

/** Default batch size. */
const TOGETHER = 32;

/** Runs `run` over batches of at most `together` images (default 32). Results are in the order of the images. */
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

/** Paths of the files that contain the weights, sorted. */
export const filesOf = (index: WeightIndex): string[] =>
  [...new Set([...index.weights.values()].map(({ bytes: { source } }) => source.path ?? source.name))].sort();
