/** Aspect buckets: the sizes of about one area that images of a run are brought to, so that each keeps its shape. */
import type { ImageSize } from "../models/index.js";
import { type RgbImage, resizeBicubic } from "../tensor/index.js";

/** A side of a bucket is at most this many times that of the size with the same area and the model's shape. */
const LONGEST = 2;
/** Steps in which the longer side of a size is divided: 64 pixels at 1024, as in kohya's trainer. */
const STEPS = 16;

/**
 * Sizes of at most the area of `size`, one for each width, with both sides multiples of a step: a sixteenth of the longer side, rounded to
 * `multiple` (NovelAI's aspect ratio bucketing).
 */
export function bucketsOf(size: ImageSize, multiple: number): ImageSize[] {
  const longer = Math.max(size.width, size.height);
  const step = multiple * Math.max(1, Math.round(longer / STEPS / multiple));
  const sides = (side: number) => [Math.max(step, up(side / LONGEST, step)), up(side * LONGEST, step)] as const;
  const [[least, most], [lowest, highest]] = [sides(size.width), sides(size.height)];
  const found: ImageSize[] = [];
  for (let width = least; width <= most; width += step) {
    const height = Math.min(highest, step * Math.floor((size.width * size.height) / width / step));
    if (height >= lowest) found.push({ width, height });
  }
  return found;
}

const up = (side: number, step: number): number => step * Math.ceil(side / step);

/** The bucket with the aspect ratio nearest to an image's; of equals the largest. */
export function bucketFor({ width, height }: ImageSize, buckets: readonly ImageSize[]): ImageSize {
  const off = (b: ImageSize) => Math.abs(Math.log((b.width * height) / (b.height * width)));
  const [first, ...rest] = buckets;
  if (!first) throw new RangeError("there is no bucket");
  return rest.reduce((best, b) => {
    const nearer = off(b) - off(best);
    return nearer < -1e-9 || (nearer < 1e-9 && b.width * b.height > best.width * best.height) ? b : best;
  }, first);
}

/** Factor by which an image is enlarged to cover a size; below 1 it is reduced. */
export const enlargement = (image: ImageSize, to: ImageSize): number =>
  Math.max(to.width / image.width, to.height / image.height);

/** Resizes an image to cover a size, bicubic with antialiasing, and crops the centre. */
export function covering(image: RgbImage, to: ImageSize): RgbImage {
  const factor = enlargement(image, to);
  const side = (own: number, wanted: number) => Math.max(wanted, Math.round(own * factor));
  const resized = resizeBicubic(image, side(image.width, to.width), side(image.height, to.height));
  const [left, top] = [(resized.width - to.width) >> 1, (resized.height - to.height) >> 1];
  const data = new Uint8Array(3 * to.width * to.height);
  for (let y = 0; y < to.height; y++) {
    const from = 3 * ((top + y) * resized.width + left);
    data.set(resized.data.subarray(from, from + 3 * to.width), 3 * y * to.width);
  }
  return { ...to, data };
}

/** The image with left and right exchanged. */
export function mirrored({ width, height, data }: RgbImage): RgbImage {
  const out = new Uint8Array(data.length);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const from = 3 * (y * width + width - 1 - x);
      out.set(data.subarray(from, from + 3), 3 * (y * width + x));
    }
  return { width, height, data: out };
}
