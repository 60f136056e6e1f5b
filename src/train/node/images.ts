/** Reads a folder of images with captions, and says which of them cannot be trained on. */
import { readdirSync } from "node:fs";
import path from "node:path";
import { codeOf, FileError, reasonOf } from "../../errors.js";
import { IMAGE_FILE, NOT_SAMPLES, OTHER_IMAGE, readImage } from "../../files/index.js";
import type { ImageSize } from "../../models/index.js";
import { counted } from "../../tensor/index.js";
import { enlargement } from "../buckets.js";
import { type CaptionedImage, sizeFor } from "../examples.js";
import { captionBeside, listedCaptions } from "./captions.js";

/** An image that must be enlarged more than this holds too little to learn from. */
const ENLARGED = 2;
/** Files that a message names. */
const NAMED = 3;

export interface FolderOptions {
  /** Caption of every image, in place of their own. */
  readonly caption?: string | undefined;
  /** Caption of images without one. Default: they are refused. */
  readonly otherwise?: string;
  /** Sizes that the images are brought to. */
  readonly sizes: readonly ImageSize[];
  readonly signal?: AbortSignal;
}

/**
 * Images of a folder with their captions: of metadata.jsonl or captions.csv, else of the .txt beside each image, else the prompt that a
 * generated image records. Images in subfolders are read where a list names them.
 * @throws FileError naming images without a caption, and those that cannot be read or are less than half as large as their bucket
 */
export async function readImages(folder: string, o: FolderOptions): Promise<CaptionedImage[]> {
  const listed = listedCaptions(folder);
  const names = [...new Set([...imagesIn(folder), ...(listed?.keys() ?? [])])];
  if (names.length === 0) throw new FileError(folder, "holds no images (.png, .jpg, .webp, .avif, .tiff, .gif)");
  const images: CaptionedImage[] = [];
  const [bad, bare]: [string[], string[]] = [[], []];
  for (const file of names) {
    o.signal?.throwIfAborted();
    try {
      const { image, label } = await readImage(path.join(folder, file));
      const caption =
        o.caption ?? listed?.get(file) ?? captionBeside(path.join(folder, file)) ?? label?.prompt ?? o.otherwise;
      const size = sizeFor(image, o.sizes);
      if (enlargement(image, size) > ENLARGED)
        bad.push(`${file}: ${image.width} × ${image.height} is tiny beside ${size.width} × ${size.height}`);
      else if (!caption) bare.push(file);
      else images.push({ file, caption, image });
    } catch (error) {
      bad.push(`${file}: ${reasonOf(error)}`);
    }
  }
  if (bad.length > 0)
    throw new FileError(
      folder,
      `${bad.length} of ${counted(names.length, "image")} cannot be used (${some(bad, "; ")}); remove them`,
    );
  if (bare.length > 0)
    throw new FileError(
      folder,
      `there is no caption for ${bare.length} of ${counted(names.length, "image")} (${some(bare, ", ")}); write it to a .txt beside each, to metadata.jsonl or captions.csv, or give one for all with --caption`,
    );
  return images;
}

const some = (names: readonly string[], separator: string): string =>
  [...names.slice(0, NAMED), ...(names.length > NAMED ? [`… ${names.length - NAMED} more`] : [])].join(separator);

function imagesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter(({ name }) => !name.startsWith(".") && (IMAGE_FILE.test(name) || OTHER_IMAGE.test(name)))
      .filter((entry) => !entry.isDirectory() && !NOT_SAMPLES.has(entry.name))
      .map(({ name }) => name)
      .sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  } catch (error) {
    const why = { ENOENT: "there is no such folder", ENOTDIR: "is a file; expected a folder of images" }[codeOf(error)];
    throw new FileError(folder, why ?? `cannot be read (${codeOf(error)})`, { cause: error });
  }
}
