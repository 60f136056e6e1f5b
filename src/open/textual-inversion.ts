/** Opens textual inversions by reference. */
import { openTextualInversionsAt } from "../assembly/index.js";
import { disk } from "../checkpoint/node/index.js";
import { type LookupOptions, locate } from "../lookup/index.js";
import type { TextualInversion } from "../text/index.js";
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
  const places = [];
  for (const { ref, token } of references) {
    places.push({ ref, token, path: await locate(ref, "textual inversion", lookup) });
  }
  return openTextualInversionsAt(disk, places, widths);
}
