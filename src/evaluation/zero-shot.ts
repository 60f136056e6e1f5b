/** Attributes of images as CLIP names them, without training: each value is a text, and an image shows the one it is closest to. */
import type { AttributeValues, ClipScorer } from "../instruments/index.js";
import { predictValues, prior } from "../metrics/index.js";
import type { RgbImage } from "../tensor/index.js";
import type { Attribute } from "./attributes.js";

/** An attribute with the text that CLIP is given for each value. */
export interface PromptedAttribute extends Attribute {
  readonly texts: readonly string[];
}

/** Images without content, for what the texts alone make CLIP say: greys from black to white. */
const contentFree = (side = 64): RgbImage[] =>
  [0, 64, 128, 192, 255].map((v) => ({ width: side, height: side, data: new Uint8Array(3 * side * side).fill(v) }));

/** The value of every attribute that each image shows [prompts][images]. features: CLIP's, of the same images. */
export async function predictAttributes(
  clip: ClipScorer,
  features: readonly (readonly Float32Array[])[],
  attributes: readonly PromptedAttribute[],
): Promise<AttributeValues[][]> {
  const blank = await clip.images(contentFree());
  const columns: { name: string; predicted: (string | number)[][] }[] = [];
  for (const { name, values, texts } of attributes) {
    const words: Float32Array[] = [];
    for (const text of texts) words.push(await clip.text(text));
    const given = prior(blank, words);
    const predicted = features.map((own) => predictValues(own, words, given).map(({ value }) => values[value] ?? ""));
    columns.push({ name, predicted });
  }
  return features.map((own, p) =>
    own.map((_, i) => Object.fromEntries(columns.map(({ name, predicted }) => [name, predicted[p]?.[i] ?? ""]))),
  );
}
