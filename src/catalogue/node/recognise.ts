/** Recognises a distilled model as that of a named pair, by its reference, hash, repository, metadata, name or config. */
import path from "node:path";
import type { Family } from "../../families/index.js";
import { parseHubReference, repositoryOf } from "../../hub/index.js";
import { isLoraRow, type PairRow } from "../schema.js";

/** What is known of a model without reading its weights. */
export interface Evidence {
  /** Reference as the user gave it. */
  readonly ref: string;
  /** Local path. */
  readonly path: string;
  readonly family: Family;
  readonly isLora: boolean;
  /** Width of the guidance embedding (time_cond_proj_dim); null where guidance is no input of the network. */
  readonly guidanceFeatures: number | null;
  /** Metadata of the safetensors file. */
  readonly metadata: Readonly<Record<string, string>>;
  /** SHA-256 of the file, where it is known without reading the file. */
  readonly sha256: string | null;
  /** True if another reference leads to the same path. */
  readonly is: (ref: string) => boolean;
}

/** A row, and the property of the model by which it was recognised. */
export interface Match {
  readonly row: PairRow;
  readonly by: "reference" | "hash" | "repository" | "metadata" | "name" | "config";
  /** The part of the model that matches. */
  readonly match: string;
}

type Recogniser = (evidence: Evidence, rows: readonly PairRow[]) => Omit<Match, "by"> | null;
type Recognisers = Readonly<Partial<Record<Match["by"], Recogniser>>>;

const found = (row: PairRow | undefined, match: string) => (row ? { row, match } : null);
const firstOf = (rows: readonly PairRow[], is: (row: PairRow) => boolean, match: string) => found(rows.find(is), match);

/** Properties that no other model has, in order of precedence. */
const CERTAIN: Recognisers = {
  reference: ({ ref, is }, rows) => firstOf(rows, (row) => is(row.distilled), ref),
  hash: ({ sha256: hash }, rows) => (hash === null ? null : firstOf(rows, (row) => row.sha256.includes(hash), hash)),
  repository: byRepository,
};

/** Properties that another model may share. */
const LIKELY: Recognisers = {
  metadata: byMetadata,
  name: (evidence, rows) => byNames(namesOf(evidence), evidence.isLora, rows),
  config: ({ guidanceFeatures: width }, rows) =>
    width === null ? null : firstOf(rows, (row) => row.guidanceFeatures === width, `time_cond_proj_dim ${width}`),
};

/**
 * The pair whose distilled model this is; null if nothing of it is known. By what other models may share, rows of another family, or of a
 * network that takes guidance differently, do not match. Of several rows with one distilled model, the first.
 */
export function recognisePair(evidence: Evidence, rows: readonly PairRow[]): Match | null {
  const { family, guidanceFeatures } = evidence;
  const likely = rows.filter((row) => row.family === family && row.guidanceFeatures === guidanceFeatures);
  return first(CERTAIN, evidence, rows) ?? first(LIKELY, evidence, likely);
}

/** A pair with this base, by reference; null if there is none. */
export const recogniseBase = ({ ref, is }: Pick<Evidence, "ref" | "is">, rows: readonly PairRow[]): Match | null => {
  const row = rows.find(({ base }) => is(base));
  return row ? { row, by: "reference", match: ref } : null;
};

function first(recognisers: Recognisers, evidence: Evidence, rows: readonly PairRow[]): Match | null {
  for (const [by, recogniser] of Object.entries(recognisers)) {
    const match = recogniser(evidence, rows);
    if (match) return { by: by as Match["by"], ...match };
  }
  return null;
}

/** Repository of a Hub reference, or of a path in the Hub's cache; with the file in it where a repository has several models. */
function byRepository({ ref, path: place }: Pick<Evidence, "ref" | "path">, rows: readonly PairRow[]) {
  const id = parseHubReference(ref)?.id ?? repositoryOf(place);
  if (id === null) return null;
  const file = path.basename(place);
  const of = rows.filter((row) => parseHubReference(row.distilled)?.id === id);
  const isFile = (row: PairRow) => path.posix.basename(parseHubReference(row.distilled)?.path ?? "") === file;
  const named = of.find(isFile) ?? of.find((row) => !/\.\w+$/.test(row.distilled));
  return found(named, id);
}

/** Metadata key with the reference of the distilled model that `adapter extract` made a LoRA of. */
export const DISTILLED_KEY = "variegate.distilled";
/** Metadata of training programs that name a model: modelspec (SAI) and sd-scripts. */
const TITLES = ["modelspec.title", "ss_output_name"] as const;
function byMetadata({ metadata, isLora }: Evidence, rows: readonly PairRow[]) {
  const ref = metadata[DISTILLED_KEY] ?? "";
  const extracted = firstOf(rows, (row) => row.distilled === ref, ref) ?? byRepository({ ref, path: ref }, rows);
  return extracted ?? byNames([ref, ...TITLES.flatMap((key) => metadata[key] ?? [])], isLora, rows);
}

/** Names that say nothing of a model: the folder above is then read. */
const GENERIC =
  /^(diffusion_pytorch_model|pytorch_lora_weights|pytorch_model|adapter_model|model|unet|transformer|main)\b/i;

/** Names of a model, its own first. */
function namesOf({ ref, path: place }: Evidence): string[] {
  const parts = path.resolve(place).split(/[\\/]/).reverse();
  const telling = parts.findIndex((part) => !GENERIC.test(part) && !/^[0-9a-f]{40}$/.test(part));
  const id = (parseHubReference(ref)?.id ?? repositoryOf(place))?.split("/")[1];
  return [parts[telling] ?? "", ...(id === undefined ? [] : [id])];
}

/** The row with the most letters of its words in one of the names; of equals one of the same kind (LoRA or UNet), then the first. */
function byNames(names: readonly string[], isLora: boolean, rows: readonly PairRow[]) {
  for (const name of names) {
    const words = new Set(wordsOf(name));
    const fits = rows.flatMap((row) =>
      row.names.flatMap((pattern) => {
        const asked = wordsOf(pattern);
        return asked.every((word) => words.has(word)) ? [{ row, letters: asked.join("").length }] : [];
      }),
    );
    const kind = ({ row }: (typeof fits)[number]) => (isLoraRow(row) === isLora ? 1 : 0);
    const [best] = fits.sort((a, b) => b.letters - a.letters || kind(b) - kind(a));
    if (best) return { row: best.row, match: name };
  }
  return null;
}

/** "dreamshaperXL_lightning-4_steps" → dreamshaper, xl, lightning, 4step. */
const wordsOf = (name: string): string[] =>
  name
    .replace(/([a-z]|\d)([A-Z][a-z])|([a-z])([A-Z])/g, "$1$3 $2$4")
    .toLowerCase()
    .replace(/(\d+)[\s_-]*steps?(?![a-z])/g, " $1step ")
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== "");
