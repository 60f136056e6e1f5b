/** Runs instruments over the images of a folder, in chunks. */
import type { RgbImage } from "../tensor/index.js";
import type { Group, ImageFile, ImageFolder } from "./folder.js";

export interface MeasureOptions {
  readonly reference?: ImageFolder;
  /** Number of neighbours for precision, recall, density and coverage. */
  readonly neighbours?: number;
  /** Called with the number of images that an instrument has read since the last call. */
  readonly onImages?: (read: number, instrument: string) => void;
  readonly signal?: AbortSignal;
}

/** Number of images in memory at a time. */
export const CHUNK = 64;

/** Result of `extract` for every image [prompts][images]. */
export async function extractFeatures<T>(
  groups: readonly Group[],
  instrument: string,
  extract: (images: readonly RgbImage[]) => Promise<T[]>,
  o: MeasureOptions,
): Promise<T[][]> {
  const all: T[][] = [];
  for (const { images } of groups) {
    const own: T[] = [];
    for (let at = 0; at < images.length; at += CHUNK) {
      o.signal?.throwIfAborted();
      const some = await Promise.all(images.slice(at, at + CHUNK).map((image: ImageFile) => image.load()));
      own.push(...(await extract(some)));
      o.onImages?.(some.length, instrument);
    }
    all.push(own);
  }
  return all;
}
