/** Textual inversion (Gal et al. 2022): a token with one or several learned embeddings, read from the tensors of a file. */
import { FileError, RequestError, WeightShapeError } from "../errors.js";
import { counted, type FloatTensor, float, stack } from "../tensor/index.js";
import { bareName } from "./comfy.js";
import type { MultiVectorToken, Tokenizer } from "./tokenizer.js";

/** A token, and its n embeddings for each text encoder, [n, D] each. */
export interface TextualInversion {
  readonly token: string;
  /** Name of the file without folder and extension, by which A1111 and ComfyUI name it in prompts. */
  readonly name: string;
  readonly embeddings: readonly FloatTensor[];
}

/** Tensors of a file by name, each [D] or [n, D]. */
export interface EmbeddingFile {
  readonly file: string;
  readonly tensors: ReadonlyMap<string, FloatTensor>;
}

/** Tensor names for the first and second text encoder of SDXL, by format. */
const FORMATS = [
  ["clip_l", "clip_g"],
  ["text_encoders_0", "text_encoders_1"],
] as const;
/** Tensor names of automatic1111, which do not name the token. */
const NAMELESS = ["*", "emb_params"];
const ORDINALS = ["first", "second"] as const;

/** A word of a file: its token, null where the file does not name it, and the names of its tensors for each text encoder. */
export interface EmbeddedWord {
  readonly token: string | null;
  /** One name for one text encoder; with two, null where the file has no embeddings for it. */
  readonly tensors: readonly (string | null)[];
}

/**
 * The words of a file, from the names of its tensors.
 * @throws FileError when it has none, or tensors beside those of a word
 */
export function wordsOf(file: string, names: readonly string[]): readonly EmbeddedWord[] {
  if (names.length === 0) throw new FileError(file, "contains no embedding");
  const format = FORMATS.find((keys) => keys.some((key) => names.includes(key)));
  const known: readonly string[] = format ?? names.filter((name) => NAMELESS.includes(name)).slice(0, 1);
  if (known.length === 0 && names.every((name) => !name.endsWith(".weight"))) {
    return names.map((name) => ({ token: name, tensors: [name] }));
  }
  const rest = names.filter((name) => !known.includes(name));
  if (rest.length === 0) {
    return [{ token: null, tensors: known.map((name) => (names.includes(name) ? name : null)) }];
  }
  const shown = `${rest.slice(0, 3).join(", ")}${rest.length > 3 ? ", …" : ""}`;
  throw new FileError(
    file,
    known.length === 0
      ? `contains ${counted(names.length, "tensor")} (${shown}); expected embeddings by token, or ${FORMATS[0].join(" and ")}`
      : `contains ${shown} beside ${known.join(" and ")}; expected the embeddings of one word`,
  );
}

/**
 * Reads the embeddings of a word for text encoders with these widths (features of a token embedding).
 * @throws RequestError when the file is for one text encoder and the model has two; WeightShapeError when the width differs; FileError when
 * a tensor is missing, empty or not finite
 */
export function textualInversion(
  { file, tensors }: EmbeddingFile,
  word: EmbeddedWord,
  token: string,
  widths: readonly number[],
): TextualInversion {
  if (word.tensors.length < widths.length) {
    throw new RequestError(`${file}: was trained for one text encoder; this model has ${widths.length}`, {
      field: "embeddings",
    });
  }
  const embeddings = widths.map((width, i) => {
    const name = word.tensors[i] ?? null;
    const tensor = name === null ? undefined : tensors.get(name);
    if (name === null || !tensor) throw new FileError(file, missing(word, i));
    const [vectors = 1, features] = tensor.shape.length === 1 ? [1, ...tensor.shape] : tensor.shape;
    if (tensor.shape.length > 2 || features !== width) {
      throw new WeightShapeError({ tensor: name, file, expected: [vectors, width], actual: tensor.shape });
    }
    if (vectors === 0) throw new FileError(file, `${name} is empty`);
    if (!tensor.data.every(Number.isFinite)) throw new FileError(file, `${name} contains NaN or infinity`);
    return float([vectors, width], tensor.data);
  });
  const counts = new Set(embeddings.map((e) => e.shape[0]));
  if (counts.size > 1)
    throw new FileError(file, `has ${[...counts].join(" and ")} embeddings for the two text encoders`);
  return { token, name: fileName(file), embeddings };
}

/** Name of a file without folder and extension. */
export const fileName = (file: string): string => file.replace(/^.*[\\/:]/, "").replace(/\.[^.]*$/, "");

/** What a file has and lacks, where it has no embeddings for text encoder `i`. */
function missing({ tensors }: EmbeddedWord, i: number): string {
  const has = tensors.flatMap((name, j) => (name === null ? [] : [`the ${ORDINALS[j] ?? ""} text encoder (${name})`]));
  return `has embeddings for ${has.join(" and ")}, and none for the ${ORDINALS[i] ?? ""}; this model needs both`;
}

/** Tokens to add to a tokenizer. */
export const tokensOf = (inversions: readonly TextualInversion[]): MultiVectorToken[] =>
  inversions.map(({ token, embeddings }) => ({ token, vectors: embeddings[0]?.shape[0] ?? 0 }));

/**
 * Graph inputs of a text encoder for a prompt with textual inversions: vocabulary_mask [1, L, 1], 0 where an id is `first` or above, and
 * textual_inversion [1, L, D] with the embeddings of these ids; D = `features`.
 * @param encoder index of the text encoder
 */
export function inversionInputs(
  ids: readonly number[],
  first: number,
  inversions: readonly TextualInversion[],
  encoder: number,
  features: number,
): Readonly<Record<"vocabulary_mask" | "textual_inversion", FloatTensor>> {
  const { data } = stack(inversions.flatMap(({ embeddings }) => embeddings[encoder] ?? []));
  const embedded = new Float32Array(ids.length * features);
  for (const [position, id] of ids.entries()) {
    if (id < first) continue;
    embedded.set(data.subarray((id - first) * features, (id - first + 1) * features), position * features);
  }
  return {
    vocabulary_mask: float(
      [1, ids.length, 1],
      Float32Array.from(ids, (id) => (id < first ? 1 : 0)),
    ),
    textual_inversion: float([1, ids.length, features], embedded),
  };
}

/** A textual inversion by its name or token. @throws RequestError when there is none */
export function inversionNamed(name: string, inversions: readonly TextualInversion[]): TextualInversion {
  const stem = bareName(name);
  const found = inversions.find((i) => i.name === stem || i.token === stem || i.token === `<${stem}>`);
  if (found) return found;
  const has = inversions.map((i) => i.name).join(", ");
  throw new RequestError(
    `embedding:${name} in the prompt is no textual inversion of this run (${has || "there is none"}); give its file with --embedding`,
    { field: "prompts" },
  );
}

/** Replaces the tokens of names of textual inversions, the longest name first, by their embeddings. */
export function named(
  units: readonly (readonly number[])[],
  inversions: readonly TextualInversion[],
  tokenizer: Tokenizer,
): readonly (readonly number[])[] {
  const names = inversions
    .map(({ name, token }) => ({ key: keyOf(tokenizer.units(name)), units: tokenizer.units(token) }))
    .filter(({ key }) => key.length > 0)
    .toSorted((a, b) => b.key.length - a.key.length);
  const found: (readonly number[])[] = [];
  for (let at = 0; at < units.length; ) {
    const here = names.find(({ key }) => keyOf(units.slice(at, at + key.length)).join() === key.join());
    const unit = units[at];
    found.push(...(here?.units ?? (unit ? [unit] : [])));
    at += here?.key.length ?? 1;
  }
  return found;
}

const keyOf = (units: readonly (readonly number[])[]): string[] => units.map((unit) => unit.join(" "));
