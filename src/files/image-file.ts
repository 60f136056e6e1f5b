/** Image files from any tool: which are read, their pixels, and the prompt that their metadata holds. */
import { readFileSync, statSync } from "node:fs";
import { RequestError, reasonOf } from "../errors.js";
import type { RgbImage } from "../tensor/index.js";
import { type Label, labelOf } from "./labels.js";
import { readPngText } from "./png.js";

export const IMAGE_FILE = /\.(png|jpe?g|jpe|jfif|jif|webp|avif|tiff?|gif)$/i;
/** Image files that cannot be read. They are named, since a result depends on the number of images. */
export const OTHER_IMAGE =
  /\.(bmp|dib|p[bgpn]m|pam|hei[cf]|jxl|jp2|j2k|jpx|tga|psd|exr|hdr|qoi|pcx|dng|cr[23]|nef|arw)$/i;
/** Files that Variegate writes next to its samples. */
export const NOT_SAMPLES: ReadonlySet<string> = new Set(["sheet.png", "filmstrip.png", "grid.png"]);
const LARGEST_FILE = 200_000_000;
const LARGEST_IMAGE = 64_000_000;

/**
 * Reads an image file: transparency is flattened to white, grey is expanded to three channels, and the EXIF orientation is applied.
 * @returns pixels, and the prompt in the metadata of a generated image, or null
 * @throws RequestError with the reason, without the name of the file
 */
export async function readImage(file: string): Promise<{ readonly image: RgbImage; readonly label: Label | null }> {
  const { size } = statSync(file);
  if (size > LARGEST_FILE) throw new RequestError(`has ${size} bytes; expected at most ${LARGEST_FILE}`);
  if (size === 0) throw new RequestError("is empty");
  const bytes = readFileSync(file);
  const { default: sharp } = await import("sharp");
  try {
    const { data, info } = await sharp(bytes, { limitInputPixels: LARGEST_IMAGE, failOn: "error" })
      .autoOrient()
      .flatten({ background: "#ffffff" })
      .toColourspace("srgb")
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    if (channels !== 3) throw new RequestError(`has ${channels} channels`);
    return { image: { width, height, data: new Uint8Array(data) }, label: labelOf(await readPngText(bytes)) };
  } catch (error) {
    if (error instanceof RequestError) throw error;
    throw new RequestError(`cannot be read as an image (${reasonOf(error)})`, { cause: error });
  }
}
