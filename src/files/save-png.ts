/** Saves an image as a PNG file. */
import path from "node:path";
import { RequestError } from "../errors.js";
import type { RgbImage } from "../tensor/index.js";
import { makeFolder } from "./folder.js";
import { encodePng } from "./png.js";
import { writeWhole } from "./write.js";

/** Fields of a generated image that its PNG records, if it has them. */
const FACTS = ["prompt", "negative", "seed", "plan"] as const;
type Facts = { readonly [F in (typeof FACTS)[number]]?: unknown };

/**
 * Writes an image to `file` as PNG; folders are created, an existing file is replaced. A generated image's prompt, negative prompt, seed and
 * plan are recorded in the text chunk `variegate`; the command line records the models as well.
 * @param text further text chunks, by keyword
 * @returns the path of the file, absolute
 * @throws RequestError when there is no image or no path; FileError when the file cannot be written
 */
export async function savePng(
  image: RgbImage & Facts,
  file: string,
  text: Readonly<Record<string, string>> = {},
): Promise<string> {
  // Callers without types: an image of a list that is shorter than expected, or a path left out.
  if (typeof image?.width !== "number" || typeof image.height !== "number" || image.data === undefined) {
    const actual = image === null || image === undefined ? String(image) : "without width, height and data";
    throw new RequestError(`savePng: the image is ${actual}; expected one of pair.generate() or of an event "image"`);
  }
  if (typeof file !== "string" || file === "") {
    throw new RequestError(`savePng: the path is ${file === "" ? "empty" : typeof file}; expected the name of a file`);
  }
  const target = path.resolve(file);
  const facts = Object.fromEntries(FACTS.flatMap((name) => (image[name] === undefined ? [] : [[name, image[name]]])));
  const made = Object.keys(facts).length > 0 ? { variegate: JSON.stringify(facts) } : {};
  const png = await encodePng(image, { ...made, ...text });
  await makeFolder(path.dirname(target));
  await writeWhole(target, png);
  return target;
}
