/** New words of a prompt: vectors that were learned for a token (textual inversion: Gal et al. 2022), from the files people have. */
import path from "node:path";
import { openTensorFile, readFloats } from "../checkpoint/index.js";
import { FileError, RequestError } from "../errors.js";
import { locate, type Sources } from "../lookup/index.js";
import { type FloatTensor, float } from "../tensor/index.js";

/** A word and its vectors for each text encoder, [n, D]. */
export interface LearnedWord {
  readonly token: string;
  readonly vectors: readonly FloatTensor[];
}

/** A word by its file, as `--embedding FILE[=token]` names it. */
export interface WordReference {
  readonly ref: string;
  /** Default: what the file says, else its name in angle brackets. */
  readonly token?: string;
}

/** Keys of files for two encoders. */
const SDXL = ["clip_l", "clip_g"] as const;
/** Keys that say nothing: automatic1111's. */
const NAMELESS = ["*", "emb_params"];

/**
 * Opens learned words for text encoders of these widths.
 * @throws FileError when a file holds no vectors; RequestError when they are of another width
 */
export async function openWords(
  references: readonly WordReference[],
  widths: readonly number[],
  sources: Sources = {},
): Promise<LearnedWord[]> {
  const words: LearnedWord[] = [];
  for (const { ref, token } of references) {
    const { weights } = await openTensorFile(await locate(ref, "word", sources));
    const tensor = async (key: string): Promise<FloatTensor | null> => {
      const weight = weights.get(key);
      if (!weight) return null;
      const shape = weight.shape.length === 1 ? [1, ...weight.shape] : weight.shape;
      return float(shape, await readFloats(weight));
    };
    const [first] = weights.keys();
    const both = await Promise.all(SDXL.map(tensor));
    const found = both.some((t) => t !== null) ? both : [first === undefined ? null : await tensor(first)];
    const stem = `<${path.basename(ref).replace(/\.[^.]*$/, "")}>`;
    const own = first === undefined || NAMELESS.includes(first) || both.some((t) => t !== null) ? stem : first;
    const vectors = widths.map((width, i) => {
      const here = found[i];
      const shape = here?.shape ?? [];
      if (here && shape.length === 2 && shape[1] === width && here.data.every(Number.isFinite)) return here;
      if (!here && found.length < widths.length && widths.length > 1) {
        throw new RequestError(`${ref}: its word was learned for one text encoder; this model has ${widths.length}`);
      }
      if (!here) throw new FileError(ref, "holds no vectors of a word");
      throw new RequestError(
        `${ref}: its vectors are [${shape.join(", ")}]; text encoder ${i + 1} of this model takes vectors of ${width} numbers`,
      );
    });
    const counts = new Set(vectors.map((v) => v.shape[0]));
    if (counts.size > 1) throw new FileError(ref, "has different numbers of vectors for the two text encoders");
    words.push({ token: token ?? own, vectors });
  }
  return words;
}
