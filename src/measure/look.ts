/** Shows pictures to instruments, as many at a time as memory is for. */
import type { RgbImage } from "../tensor/index.js";
import type { Group, Picture, PictureFolder } from "./folder.js";

export interface MeasureOptions {
  readonly reference?: PictureFolder;
  /** Neighbours of precision, recall, density and coverage. */
  readonly neighbours?: number;
  readonly onPictures?: (seen: number, with_: string) => void;
  readonly signal?: AbortSignal;
}

/** Pictures held in memory at a time. */
export const TOGETHER = 64;

/** Runs `look` over the pictures of every group. */
export async function lookAt<T>(
  groups: readonly Group[],
  what: string,
  look: (images: readonly RgbImage[]) => Promise<T[]>,
  o: MeasureOptions,
): Promise<T[][]> {
  const all: T[][] = [];
  for (const { pictures } of groups) {
    const own: T[] = [];
    for (let at = 0; at < pictures.length; at += TOGETHER) {
      o.signal?.throwIfAborted();
      const some = await Promise.all(pictures.slice(at, at + TOGETHER).map((p: Picture) => p.load()));
      own.push(...(await look(some)));
      o.onPictures?.(some.length, what);
    }
    all.push(own);
  }
  return all;
}
