/** Opens textual inversions: reads the tensors of their files. */
import { type FileSystem, nameIn, readFloats, readWeights } from "../checkpoint/index.js";
import { RequestError } from "../errors.js";
import { type FloatTensor, float } from "../tensor/index.js";
import { type TextualInversion, textualInversion, wordsOf } from "../text/index.js";
import type { ModelPlace } from "./place.js";

/** File of textual inversions. Default tokens: the names in the file, else the file name in angle brackets. */
export interface TextualInversionPlace extends ModelPlace {
  readonly token?: string | undefined;
}

/**
 * Opens textual inversions for text encoders of the given widths.
 * @throws FileError, WeightShapeError when a file cannot be used; RequestError when it is made for another number of text encoders, or a
 * token is given for several words
 */
export async function openTextualInversionsAt(
  files: FileSystem,
  places: readonly TextualInversionPlace[],
  widths: readonly number[],
): Promise<TextualInversion[]> {
  const found: TextualInversion[] = [];
  for (const { ref, path, token } of places) {
    const { weights } = await readWeights(await files.open(path));
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
    const fileName = `<${nameIn(ref).replace(/\.[^.]*$/, "")}>`;
    for (const word of words) {
      found.push(textualInversion({ file: ref, tensors }, word, token ?? word.token ?? fileName, widths));
    }
  }
  return found;
}
