/** Zero-shot classification of attributes with CLIP: each value has a text, and the most similar text is predicted. */
import type { AttributeValues, ClipScorer } from "../instruments/index.js";
import { predictValues, prior } from "../metrics/index.js";
import type { RgbImage } from "../tensor/index.js";
import type { Attribute } from "./attributes.js";

/** Attribute with a text for each value. */
export interface PromptedAttribute extends Attribute {
  readonly texts: readonly string[];
}

/** Images without content, grey from black to white, whose similarity to the texts is the prior. */
const contentFree = (side = 64): RgbImage[] =>
  [0, 64, 128, 192, 255].map((v) => ({ width: side, height: side, data: new Uint8Array(3 * side * side).fill(v) }));

/** Predicted value of every attribute [prompts][images]. features: CLIP features of the same images. */
export async function predictAttributes(
  clip: ClipScorer,
  features: readonly (readonly Float32Array[])[],
  attributes: readonly PromptedAttribute[],
): Promise<AttributeValues[][]> {
  const blank = await clip.images(contentFree());
  const columns: { name: string; predicted: (string | number)[][] }[] = [];
  for (const { name, values, texts } of attributes) {
    const textFeatures: Float32Array[] = [];
    for (const text of texts) textFeatures.push(await clip.text(text));
    const given = prior(blank, textFeatures);
    const predicted = features.map((own) =>
      predictValues(own, textFeatures, given).map(({ value }) => values[value] ?? ""),
    );
    columns.push({ name, predicted });
  }
  return features.map((own, p) =>
    own.map((_, i) => Object.fromEntries(columns.map(({ name, predicted }) => [name, predicted[p]?.[i] ?? ""]))),
  );
}
