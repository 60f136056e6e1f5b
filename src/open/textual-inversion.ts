/** Opens textual inversions: locates their files and reads the tensors. */
import path from "node:path";
import { readFloats } from "../checkpoint/index.js";
import { openWeights } from "../checkpoint/node/index.js";
import { RequestError } from "../errors.js";
import { type LookupOptions, locate } from "../lookup/index.js";
import { type FloatTensor, float } from "../tensor/index.js";
import { type TextualInversion, textualInversion, wordsOf } from "../text/index.js";
import type { PairReference } from "./reference.js";

/** Reference to the textual inversions of a file. Default tokens: the names in the file, else the file name in angle brackets. */
export type TextualInversionReference = NonNullable<PairReference["embeddings"]>[number];

/**
 * Opens textual inversions for text encoders of the given widths.
 * @throws FileError, WeightShapeError when a file cannot be used; RequestError when it is made for another number of text encoders, or a
 * token is given for several words
 */
export async function openTextualInversions(
  references: readonly TextualInversionReference[],
  widths: readonly number[],
  lookup: LookupOptions = {},
): Promise<TextualInversion[]> {
  const found: TextualInversion[] = [];
  for (const { ref, token } of references) {
    const { weights } = await openWeights(await locate(ref, "textual inversion", lookup));
    const words = wordsOf(ref, [...weights.keys()]);
    if (token !== undefined && words.length > 1) {
      throw new RequestError(
        `${ref}: has ${words.length} words (${words.map((w) => w.token).join(", ")}), which keep their tokens; leave out =${token}`,
        { field: "embeddings" },
      );
    }
    const tensors = new Map<string, FloatTensor>();
    for (const name of words.flatMap((word) => word.tensors)) {
      const weight = name === null ? undefined : weights.get(name);
      if (name !== null && weight) tensors.set(name, float(weight.shape, await readFloats(weight)));
    }
    const fileName = `<${path.basename(ref).replace(/\.[^.]*$/, "")}>`;
    for (const word of words) {
      found.push(textualInversion({ file: ref, tensors }, word, token ?? word.token ?? fileName, widths));
    }
  }
  return found;
}
