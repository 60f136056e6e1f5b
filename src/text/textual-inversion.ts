/** Textual inversion (Gal et al. 2022): embeddings that were learned for a token, one or several, from the tensors of a file. */
import { FileError, RequestError, WeightShapeError } from "../errors.js";
import { type FloatTensor, float, stack } from "../tensor/index.js";
import type { MultiVectorToken } from "./tokenizer.js";

/** A token and its embeddings for each text encoder, [n, D]. */
export interface TextualInversion {
  readonly token: string;
  readonly embeddings: readonly FloatTensor[];
}

/** Tensors of a file by name, each [D] or [n, D]. */
export interface EmbeddingFile {
  readonly file: string;
  readonly tensors: ReadonlyMap<string, FloatTensor>;
}

/** Names of the tensors in files for SDXL's two text encoders. */
const ENCODERS = ["clip_l", "clip_g"];
/** Names that are not the token's: automatic1111's. */
const NAMELESS = ["*", "emb_params"];

/** Names of the tensors that hold embeddings, among those of a file. @throws FileError when none or several could */
export function embeddingNames(file: string, names: readonly string[]): readonly string[] {
  const found = [ENCODERS, NAMELESS].map((known) => names.filter((name) => known.includes(name)));
  const [chosen = names] = found.filter((some) => some.length > 0);
  if (chosen.length === 0) throw new FileError(file, "holds no embedding");
  if (chosen === names && names.length > 1) {
    const shown = `${names.slice(0, 3).join(", ")}${names.length > 3 ? ", …" : ""}`;
    throw new FileError(
      file,
      `holds ${names.length} tensors (${shown}); an embedding is one, or ${ENCODERS.join(" and ")}`,
    );
  }
  return chosen;
}

/** The token that a file names; null where it names none. */
export function tokenOf(names: readonly string[]): string | null {
  const [name] = names;
  return name === undefined || [...ENCODERS, ...NAMELESS].includes(name) ? null : name;
}

/**
 * The embeddings of a file for text encoders of these widths.
 * @throws RequestError when they were learned for one text encoder and there are two; WeightShapeError when they are of another
 * width; FileError when they cannot be used
 */
export function textualInversion(
  { file, tensors }: EmbeddingFile,
  token: string,
  widths: readonly number[],
): TextualInversion {
  const names = embeddingNames(file, [...tensors.keys()]);
  const perEncoder = names.some((name) => ENCODERS.includes(name)) ? ENCODERS : names;
  if (perEncoder.length < widths.length) {
    throw new RequestError(`${file}: was learned for one text encoder; this model has ${widths.length}`, {
      field: "embeddings",
    });
  }
  const embeddings = widths.map((width, i) => {
    const name = perEncoder[i] ?? "";
    const tensor = tensors.get(name);
    if (!tensor) throw new FileError(file, `has no ${name}`);
    const [vectors = 1, features] = tensor.shape.length === 1 ? [1, ...tensor.shape] : tensor.shape;
    if (tensor.shape.length > 2 || features !== width) {
      throw new WeightShapeError({ tensor: name, file, expected: [vectors, width], actual: tensor.shape });
    }
    if (vectors === 0) throw new FileError(file, `${name} is empty`);
    if (!tensor.data.every(Number.isFinite)) throw new FileError(file, `${name} has values that are not finite`);
    return float([vectors, width], tensor.data);
  });
  const counts = new Set(embeddings.map((e) => e.shape[0]));
  if (counts.size > 1)
    throw new FileError(file, `has ${[...counts].join(" and ")} embeddings for the two text encoders`);
  return { token, embeddings };
}

/** The tokens that embeddings add to a tokenizer. */
export const tokensOf = (inversions: readonly TextualInversion[]): MultiVectorToken[] =>
  inversions.map(({ token, embeddings }) => ({ token, vectors: embeddings[0]?.shape[0] ?? 0 }));

/**
 * Graph inputs of a text encoder for a prompt. Ids from `first` on are those of embeddings, in order: they become 0, are masked, and
 * `textual_inversion` [1, L, D] has their embeddings; D = `features`.
 */
export function inversionInputs(
  ids: readonly number[],
  first: number,
  inversions: readonly TextualInversion[],
  encoder: number,
  features: number,
): Readonly<Record<"vocabulary_mask" | "textual_inversion", FloatTensor>> {
  const { data } = stack(inversions.flatMap(({ embeddings }) => embeddings[encoder] ?? []));
  const learned = new Float32Array(ids.length * features);
  for (const [place, id] of ids.entries()) {
    if (id < first) continue;
    learned.set(data.subarray((id - first) * features, (id - first + 1) * features), place * features);
  }
  return {
    vocabulary_mask: float(
      [1, ids.length, 1],
      Float32Array.from(ids, (id) => (id < first ? 1 : 0)),
    ),
    textual_inversion: float([1, ids.length, features], learned),
  };
}
