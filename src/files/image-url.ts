/** An image inside a page: a data URL of the size that it is looked at. */
import type { RgbImage } from "../tensor/index.js";

/** Pixels on a side up to which every pixel is kept. */
const LOSSLESS = 128;

/** PNG of a small image; WebP of a larger one, reduced to `side` pixels where that is given. */
export async function imageUrl({ width, height, data }: RgbImage, side?: number): Promise<string> {
  const { default: sharp } = await import("sharp");
  const image = sharp(data, { raw: { width, height, channels: 3 } });
  if (Math.max(width, height) <= LOSSLESS) return urlOf("png", await image.png().toBuffer());
  const shown = side === undefined ? image : image.resize(side, side, { fit: "inside", withoutEnlargement: true });
  return urlOf("webp", await shown.webp({ quality: 88 }).toBuffer());
}

/** The same for an overview of many: 96 pixels on a screen of twice as many. */
export const thumbnailUrl = (image: RgbImage): Promise<string> => imageUrl(image, 192);

/** One of hundreds of images on a page: WebP of at most `side` pixels, small before faithful. */
export async function previewUrl({ width, height, data }: RgbImage, side: number): Promise<string> {
  const { default: sharp } = await import("sharp");
  const image = sharp(data, { raw: { width, height, channels: 3 } });
  const shown = image.resize(side, side, { fit: "inside", withoutEnlargement: true });
  return urlOf("webp", await shown.webp({ quality: 80, effort: 0 }).toBuffer());
}

const urlOf = (type: string, bytes: Buffer): string => `data:image/${type};base64,${bytes.toString("base64")}`;
