/** Runs instruments over the pictures of a folder, a few at a time. */
import type { RgbImage } from "../tensor/index.js";
import type { Group, Picture, PictureFolder } from "./folder.js";

export interface MeasureOptions {
  readonly reference?: PictureFolder;
  /** Neighbours of precision, recall, density and coverage. */
  readonly neighbours?: number;
  /** Pictures that an instrument has seen since the last call. */
  readonly onPictures?: (seen: number, instrument: string) => void;
  readonly signal?: AbortSignal;
}

/** Pictures held in memory at a time. */
export const TOGETHER = 64;

/** Result of `extract` for every picture [prompts][pictures]. */
export async function extractFeatures<T>(
  groups: readonly Group[],
  instrument: string,
  extract: (images: readonly RgbImage[]) => Promise<T[]>,
  o: MeasureOptions,
): Promise<T[][]> {
  const all: T[][] = [];
  for (const { pictures } of groups) {
    const own: T[] = [];
    for (let at = 0; at < pictures.length; at += TOGETHER) {
      o.signal?.throwIfAborted();
      const some = await Promise.all(pictures.slice(at, at + TOGETHER).map((p: Picture) => p.load()));
      own.push(...(await extract(some)));
      o.onPictures?.(some.length, instrument);
    }
    all.push(own);
  }
  return all;
}
