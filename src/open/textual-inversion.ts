/** Opens textual inversions: locates their files and reads the tensors. */
import path from "node:path";
import { readFloats } from "../checkpoint/index.js";
import { openWeights } from "../checkpoint/node/index.js";
import { type LookupOptions, locate } from "../lookup/index.js";
import { type FloatTensor, float } from "../tensor/index.js";
import { embeddingNames, type TextualInversion, textualInversion, tokenOf } from "../text/index.js";
import type { PairReference } from "./reference.js";

/** Reference to a textual inversion. Default token: the name in the file, else the file name in angle brackets. */
export type TextualInversionReference = NonNullable<PairReference["embeddings"]>[number];

/**
 * Opens textual inversions for text encoders of the given widths.
 * @throws FileError, WeightShapeError when a file cannot be used; RequestError when it is made for another number of text encoders
 */
export async function openTextualInversions(
  references: readonly TextualInversionReference[],
  widths: readonly number[],
  lookup: LookupOptions = {},
): Promise<TextualInversion[]> {
  const found: TextualInversion[] = [];
  for (const { ref, token } of references) {
    const { weights } = await openWeights(await locate(ref, "textual inversion", lookup));
    const tensors = new Map<string, FloatTensor>();
    for (const name of embeddingNames(ref, [...weights.keys()])) {
      const weight = weights.get(name);
      if (weight) tensors.set(name, float(weight.shape, await readFloats(weight)));
    }
    const fileName = `<${path.basename(ref).replace(/\.[^.]*$/, "")}>`;
    found.push(textualInversion({ file: ref, tensors }, token ?? tokenOf([...tensors.keys()]) ?? fileName, widths));
  }
  return found;
}
