/** Selects the files of a repository to download: the components of a pipeline, and for each its config and one set of weights. */
import { z } from "zod";
import {
  DENOISER_FOLDERS,
  otherClass,
  SUPPORTED_FAMILIES,
  TEXT_ENCODER_FOLDERS,
  TOKENIZER_FOLDERS,
} from "../families/index.js";
import { chosenSet, type Variant, weightSets } from "./weight-files.js";

/** Kind of model that a reference has to provide. It decides which files of a repository are needed. */
export type ModelKind =
  /** A complete pipeline: a diffusers folder, or a single-file checkpoint. */
  | "pipeline"
  /** A denoiser (UNet or transformer), alone or in a pipeline, or a LoRA: the values of `--distilled`. */
  | "unet"
  /** Any model, for inspection. */
  | "model"
  | "autoencoder"
  | "text encoder"
  /** The tokenizer of a text encoder, without weights. */
  | "tokenizer"
  /** A CLIPModel with its tokenizer. */
  | "clip"
  /** Any other vision encoder. */
  | "vision"
  | "adapter"
  | "textual inversion"
  /** Any file, or a folder with all of its files. */
  | "file";

/** File of a listing. */
export interface Listed {
  readonly path: string;
  readonly bytes: number;
}

export interface Selected<F extends Listed> {
  /** Selected folder or file in the repository; "" is the whole repository. */
  readonly root: string;
  readonly files: readonly F[];
  /** The selection depends on the absence of other files, which a partial cache cannot prove. */
  readonly guessed?: true;
}

/** The selected files, or the reason why no file fits. */
export type Selection<F extends Listed> = Selected<F> | { readonly problem: string };

/** Inputs of a selection besides the listing. */
export interface SelectionContext {
  readonly variant: Variant;
  /** True for a file in the cache. */
  readonly there: (file: Listed) => boolean;
  /** Parsed model_index.json of the folder; null without one. */
  readonly index: unknown;
}

/** Folder of a repository, with its files by relative path. */
interface Folder<F extends Listed> {
  readonly root: string;
  readonly files: ReadonlyMap<string, F>;
}

/** Selects the files where the folder has this layout; null where it does not. */
type Layout = <F extends Listed>(folder: Folder<F>, context: SelectionContext) => Selection<F> | null;

const loraFile = firstOf(["pytorch_lora_weights.safetensors", "pytorch_lora_weights.bin"]);
/** PEFT's folder: the config holds the strength. */
const peftFolder: Layout = (folder) => {
  const [file] = named(folder, ["adapter_model.safetensors", "adapter_model.bin"]);
  return file ? { root: file.path, files: [file, ...named(folder, ["adapter_config.json"])] } : null;
};
const embeddingFile = firstOf(["learned_embeds.safetensors", "learned_embeds.bin"]);

/** Layouts to try, in order of precedence. */
const LAYOUTS: { readonly [W in ModelKind]: readonly Layout[] } = {
  pipeline: [wholePipeline, oneWeightFile],
  unet: [denoiserInside, network, loraFile, peftFolder, oneWeightFile],
  model: [wholePipeline, denoiserInside, network, loraFile, peftFolder, oneWeightFile],
  autoencoder: [network, vaeInside, oneWeightFile],
  "text encoder": [network, oneWeightFile],
  tokenizer: [tokenizerInside],
  clip: [network],
  vision: [network, everything],
  adapter: [loraFile, peftFolder, oneWeightFile],
  "textual inversion": [embeddingFile, oneWeightFile],
  file: [everything],
};

/** Components of a pipeline that generation needs. The safety checker, the feature extractor and parts of a refiner are not. */
const NETWORKS = [...DENOISER_FOLDERS, "vae", ...TEXT_ENCODER_FOLDERS];
const TOKENIZER_FILES = [
  "tokenizer.json",
  "vocab.json",
  "merges.txt",
  "tokenizer_config.json",
  "special_tokens_map.json",
] as const;
/** Tokenizer of T5 in folders without tokenizer.json. */
const SENTENCE_PIECE = "spiece.model";
const WITH_NETWORK = [...TOKENIZER_FILES, "preprocessor_config.json"] as const;
const SCHEDULER = "scheduler/scheduler_config.json";
export const PIPELINE_INDEX = "model_index.json";

/**
 * Selects the files to download.
 * @param place folder or file of the repository; "" is the whole repository
 */
export function select<F extends Listed>(
  listing: readonly F[],
  place: string,
  kind: ModelKind,
  context: SelectionContext,
): Selection<F> {
  const file = listing.find((f) => f.path === place);
  if (file) return { root: place, files: [file] };
  const below = place === "" ? "" : `${place}/`;
  const inside = listing.filter((f) => f.path.startsWith(below)).map((f) => [f.path.slice(below.length), f] as const);
  if (inside.length === 0)
    return { problem: `has no file or folder ${place || "at all"}; found: ${shown(listing.map((f) => f.path))}` };
  const folder = { root: place, files: new Map(inside) };
  for (const layout of LAYOUTS[kind]) {
    const found = layout(folder, context);
    if (found) return found;
  }
  return { problem: `has no files for ${DESCRIPTIONS[kind]}; found: ${shown([...folder.files.keys()])}` };
}

const DESCRIPTIONS: { readonly [W in ModelKind]: string } = {
  pipeline: "a pipeline (model_index.json, or one .safetensors file)",
  unet: "a UNet, a transformer or a LoRA",
  model: "a model or a LoRA",
  autoencoder: "an autoencoder (config.json with weights, vae/, or one file)",
  "text encoder": "a text encoder (config.json with weights, or one file)",
  tokenizer: "a tokenizer (tokenizer.json, spiece.model, or vocab.json with merges.txt)",
  clip: "a CLIPModel (config.json with weights)",
  vision: "a vision encoder",
  adapter: "a LoRA (one .safetensors file)",
  "textual inversion": "a textual inversion",
  file: "a file",
};

const indexSchema = z.record(z.string(), z.unknown());
const partSchema = z.tuple([z.string().nullable(), z.string()]);

function wholePipeline<F extends Listed>(folder: Folder<F>, context: SelectionContext): Selection<F> | null {
  const index = folder.files.get(PIPELINE_INDEX);
  if (!index) return null;
  const parts = indexSchema.safeParse(context.index).data ?? {};
  const has = (name: string) => partSchema.safeParse(parts[name]).success;
  const className = typeof parts["_class_name"] === "string" ? parts["_class_name"] : "a pipeline";
  const other = otherClass(className);
  if (other !== null || !DENOISER_FOLDERS.some(has)) {
    const what = other === null ? "which has no UNet or transformer" : `of ${other}`;
    return { problem: `is ${className}, ${what}; ${SUPPORTED_FAMILIES}` };
  }
  const files: F[] = [index];
  for (const name of NETWORKS.filter(has)) {
    const part = partOf(folder, `${name}/`, context);
    if ("problem" in part) return part;
    files.push(...part.files);
  }
  const lacks = [
    ...TOKENIZER_FOLDERS.filter((name) => has(name) && !isTokenizer(folder, `${name}/`)),
    ...(has("scheduler") && !folder.files.has(SCHEDULER) ? [SCHEDULER] : []),
  ];
  if (lacks.length > 0) return { problem: `lacks ${lacks.join(", ")}, which model_index.json names` };
  files.push(...TOKENIZER_FOLDERS.filter(has).flatMap((name) => tokenizerFiles(folder, `${name}/`)));
  files.push(...named(folder, [SCHEDULER]));
  return { root: folder.root, files };
}

/** The denoiser of a pipeline, with its scheduler. */
function denoiserInside<F extends Listed>(folder: Folder<F>, context: SelectionContext): Selection<F> | null {
  for (const name of DENOISER_FOLDERS) {
    const part = componentOf(folder, name, context);
    if (part === null) continue;
    if ("problem" in part) return part;
    return { root: folder.root, files: [...part.files, ...named(folder, [SCHEDULER])] };
  }
  return null;
}

/** The autoencoder of a pipeline. */
function vaeInside<F extends Listed>(folder: Folder<F>, context: SelectionContext): Selection<F> | null {
  return componentOf(folder, "vae", context);
}

/** A component of a pipeline; null where the folder has no config of it. */
function componentOf<F extends Listed>(
  folder: Folder<F>,
  name: string,
  context: SelectionContext,
): Selection<F> | null {
  if (!folder.files.has(`${name}/config.json`)) return null;
  const part = partOf(folder, `${name}/`, context);
  if ("problem" in part) return part;
  return { root: folder.root === "" ? name : `${folder.root}/${name}`, files: part.files };
}

/** Folder of one network. */
function network<F extends Listed>(folder: Folder<F>, context: SelectionContext): Selection<F> | null {
  if (!folder.files.has("config.json")) return null;
  const part = partOf(folder, "", context);
  // The repository of a LoRA may have a config.json, too.
  if ("problem" in part) return loraFile(folder, context) ? null : part;
  return { root: folder.root, files: [...part.files, ...named(folder, WITH_NETWORK)] };
}

/** Config and weights of the network below `prefix`. */
function partOf<F extends Listed>(
  folder: Folder<F>,
  prefix: string,
  { variant, there }: SelectionContext,
): Selection<F> {
  const names = [...folder.files.keys()].flatMap((name) => {
    const own = name.startsWith(prefix) ? name.slice(prefix.length) : "/";
    return own.includes("/") ? [] : [own];
  });
  const isThere = (name: string) => {
    const file = folder.files.get(`${prefix}${name}`);
    return file !== undefined && there(file);
  };
  const set = chosenSet(weightSets(names), variant, isThere);
  if (!set)
    return { problem: `has no weights in ${prefix || "its folder"} (safetensors or bin); found: ${shown(names)}` };
  return {
    root: folder.root,
    files: named(
      folder,
      ["config.json", ...set.names].map((name) => `${prefix}${name}`),
    ),
  };
}

/** The tokenizer in a folder, without the weights beside it. */
function tokenizerInside<F extends Listed>(folder: Folder<F>): Selection<F> | null {
  if (!isTokenizer(folder, "")) return null;
  return { root: folder.root, files: tokenizerFiles(folder, "") };
}

const isTokenizer = <F extends Listed>({ files }: Folder<F>, prefix: string): boolean =>
  files.has(`${prefix}${SENTENCE_PIECE}`) ||
  files.has(`${prefix}tokenizer.json`) ||
  (files.has(`${prefix}vocab.json`) && files.has(`${prefix}merges.txt`));

function tokenizerFiles<F extends Listed>(folder: Folder<F>, prefix: string): F[] {
  const names = [...TOKENIZER_FILES, ...(folder.files.has(`${prefix}tokenizer.json`) ? [] : [SENTENCE_PIECE])];
  return named(
    folder,
    names.map((name) => `${prefix}${name}`),
  );
}

/** The first file with one of these names. */
function firstOf(names: readonly string[]): Layout {
  return (folder) => {
    const [file] = named(folder, names);
    return file ? { root: file.path, files: [file] } : null;
  };
}

/** The only weight file; safetensors before pickles. */
function oneWeightFile<F extends Listed>(folder: Folder<F>): Selection<F> | null {
  const files = [...folder.files.values()];
  for (const ending of [/\.safetensors$/, /\.(ckpt|bin|pt|pth)$/]) {
    const fitting = files.filter((f) => ending.test(f.path));
    const [only] = fitting;
    if (only && fitting.length === 1) return { root: only.path, files: [only], guessed: true };
    if (only)
      return {
        problem: `has several weight files; name one of them: ${shown(fitting.map((f) => f.path))}`,
      };
  }
  return null;
}

/** All files of a folder except README.md, .gitattributes and licences. */
function everything<F extends Listed>(folder: Folder<F>): Selection<F> | null {
  const files = [...folder.files.values()].filter(
    (f) => !/(^|\/)(README\.md|\.gitattributes|LICENSE.*)$/i.test(f.path),
  );
  return files.length > 0 ? { root: folder.root, files, guessed: true } : null;
}

/** The files with these names that the folder has. */
const named = <F extends Listed>(folder: Folder<F>, names: readonly string[]): F[] =>
  names.flatMap((name) => folder.files.get(name) ?? []);

/** The first names of a list, for messages. */
function shown(names: readonly string[]): string {
  const some = names.slice(0, 10).join(", ") || "nothing";
  return names.length > 10 ? `${some} and ${names.length - 10} more` : some;
}
