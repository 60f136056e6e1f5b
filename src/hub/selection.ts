/** Which files of a repository are needed: of a pipeline the parts that are drawn, of each part its config and one set of weights. */
import { z } from "zod";
import { chosenSet, type Variant, weightSets } from "./weight-files.js";

/** What is wanted where a reference stands: it decides which files of a repository are needed. */
export type ModelKind =
  /** A model with everything it paints with: a diffusers folder, or one file. */
  | "pipeline"
  /** What `--distilled` takes: a UNet, in whatever it lies, or a LoRA. */
  | "unet"
  /** A model to look into, whatever it is. */
  | "model"
  | "autoencoder"
  | "text encoder"
  /** A CLIPModel with its tokenizer. */
  | "clip"
  /** Another network that looks at pictures. */
  | "vision"
  | "adapter"
  /** A learned word. */
  | "textual inversion"
  /** Anything else: a file, or a folder as it is. */
  | "file";

/** What a listing tells of a file. */
export interface Listed {
  readonly path: string;
  readonly bytes: number;
}

export interface Selected<F extends Listed> {
  /** The folder or file that is handed out, in the repository; "" is all of it. */
  readonly root: string;
  readonly files: readonly F[];
  /** It follows from what else there is not: a cache that holds a part of the repository cannot tell. */
  readonly guessed?: true;
}

/** What is needed, or in words why nothing fits. */
export type Selection<F extends Listed> = Selected<F> | { readonly not: string };

/** What a selection depends on beside the listing. */
export interface SelectionContext {
  readonly variant: Variant;
  /** Whether the cache has it. */
  readonly there: (file: Listed) => boolean;
  /** model_index.json of the place that is looked at, parsed; null where there is none. */
  readonly index: unknown;
}

/** A folder of a repository: names below it. */
interface View<F extends Listed> {
  readonly root: string;
  readonly files: ReadonlyMap<string, F>;
}

/** One way in which a repository can hold what is wanted; null: not in this way. */
type Layout = <F extends Listed>(view: View<F>, context: SelectionContext) => Selection<F> | null;

/** In this order: the first form that a repository has decides. */
const LAYOUTS: { readonly [W in ModelKind]: readonly Layout[] } = {
  pipeline: [wholePipeline, oneWeightFile],
  unet: [unetInside, network, loraFile, oneWeightFile],
  model: [wholePipeline, unetInside, network, loraFile, oneWeightFile],
  autoencoder: [network, vaeInside, oneWeightFile],
  "text encoder": [network, oneWeightFile],
  clip: [network],
  vision: [network, everything],
  adapter: [loraFile, oneWeightFile],
  "textual inversion": [wordFile, oneWeightFile],
  file: [everything],
};

/** Networks of a pipeline that are drawn, and what stands beside them. No safety checker, no feature extractor, no refiner's parts. */
const NETWORKS = ["unet", "vae", "text_encoder", "text_encoder_2"] as const;
const TOKENIZERS = ["tokenizer", "tokenizer_2"] as const;
const TOKENIZER_FILES = [
  "tokenizer.json",
  "vocab.json",
  "merges.txt",
  "tokenizer_config.json",
  "special_tokens_map.json",
] as const;
const BESIDE = [...TOKENIZER_FILES, "preprocessor_config.json"] as const;
const SCHEDULER = "scheduler/scheduler_config.json";
export const PIPELINE_INDEX = "model_index.json";

/**
 * Chooses what is needed.
 * @param place a folder or file of the repository; "" is all of it
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
    return { not: `has no file or folder ${place || "at all"}; it has: ${shown(listing.map((f) => f.path))}` };
  const view = { root: place, files: new Map(inside) };
  for (const form of LAYOUTS[kind]) {
    const found = form(view, context);
    if (found) return found;
  }
  return { not: `holds nothing that can be used as ${DESCRIPTIONS[kind]}; it has: ${shown([...view.files.keys()])}` };
}

const DESCRIPTIONS: { readonly [W in ModelKind]: string } = {
  pipeline: "a model to paint with (model_index.json, or one .safetensors file)",
  unet: "a UNet or a LoRA",
  model: "a model or a LoRA",
  autoencoder: "an autoencoder (config.json with weights, vae/, or one file)",
  "text encoder": "a text encoder (config.json with weights, or one file)",
  clip: "a CLIPModel (config.json with weights)",
  vision: "a network that looks at pictures",
  adapter: "a LoRA (one .safetensors file)",
  "textual inversion": "a textual inversion",
  file: "a file",
};

const indexSchema = z.record(z.string(), z.unknown());
const partSchema = z.tuple([z.string().nullable(), z.string()]);

function wholePipeline<F extends Listed>(view: View<F>, context: SelectionContext): Selection<F> | null {
  const index = view.files.get(PIPELINE_INDEX);
  if (!index) return null;
  const parts = indexSchema.safeParse(context.index).data ?? {};
  const has = (name: string) => partSchema.safeParse(parts[name]).success;
  if (!has("unet")) {
    const named = typeof parts["_class_name"] === "string" ? parts["_class_name"] : "a pipeline";
    return {
      not: `is ${named}, which has no UNet; Stable Diffusion 1, 2 and XL, and models of their shape, are run here`,
    };
  }
  const files: F[] = [index];
  for (const name of NETWORKS.filter(has)) {
    const part = partOf(view, `${name}/`, context);
    if ("not" in part) return part;
    files.push(...part.files);
  }
  const whole = (name: string) =>
    view.files.has(`${name}/tokenizer.json`) ||
    (view.files.has(`${name}/vocab.json`) && view.files.has(`${name}/merges.txt`));
  const lacks = [
    ...TOKENIZERS.filter((name) => has(name) && !whole(name)),
    ...(has("scheduler") && !view.files.has(SCHEDULER) ? [SCHEDULER] : []),
  ];
  if (lacks.length > 0) return { not: `has no ${lacks.join(", no ")}, though its index names it` };
  files.push(
    ...TOKENIZERS.filter(has).flatMap((name) =>
      named(
        view,
        TOKENIZER_FILES.map((f) => `${name}/${f}`),
      ),
    ),
  );
  files.push(...named(view, [SCHEDULER]));
  return { root: view.root, files };
}

const inside =
  (name: string, root: "above" | "inside"): Layout =>
  (view, context) => {
    if (!view.files.has(`${name}/config.json`)) return null;
    const part = partOf(view, `${name}/`, context);
    if ("not" in part) return part;
    if (root === "above") return { root: view.root, files: [...part.files, ...named(view, [SCHEDULER])] };
    return { root: view.root === "" ? name : `${view.root}/${name}`, files: part.files };
  };

/** A UNet in a pipeline, with the scheduler it walks by. */
function unetInside<F extends Listed>(view: View<F>, context: SelectionContext): Selection<F> | null {
  return inside("unet", "above")(view, context);
}

function vaeInside<F extends Listed>(view: View<F>, context: SelectionContext): Selection<F> | null {
  return inside("vae", "inside")(view, context);
}

/** A folder of one network. */
function network<F extends Listed>(view: View<F>, context: SelectionContext): Selection<F> | null {
  if (!view.files.has("config.json")) return null;
  const part = partOf(view, "", context);
  // A LoRA's repository may hold a config too.
  if ("not" in part) return named(view, LORAS).length > 0 ? null : part;
  return { root: view.root, files: [...part.files, ...named(view, BESIDE)] };
}

/** Config and weights of the network below `prefix`. */
function partOf<F extends Listed>(view: View<F>, prefix: string, { variant, there }: SelectionContext): Selection<F> {
  const names = [...view.files.keys()].flatMap((name) => {
    const own = name.startsWith(prefix) ? name.slice(prefix.length) : "/";
    return own.includes("/") ? [] : [own];
  });
  const isThere = (name: string) => {
    const file = view.files.get(`${prefix}${name}`);
    return file !== undefined && there(file);
  };
  const set = chosenSet(weightSets(names), variant, isThere);
  if (!set) return { not: `has no weights in ${prefix || "it"} (safetensors or bin); there is: ${shown(names)}` };
  return {
    root: view.root,
    files: named(
      view,
      ["config.json", ...set.names].map((name) => `${prefix}${name}`),
    ),
  };
}

const LORAS = ["pytorch_lora_weights.safetensors", "pytorch_lora_weights.bin"] as const;
const LEARNED = ["learned_embeds.safetensors", "learned_embeds.bin"] as const;

const firstOf =
  (names: readonly string[]): Layout =>
  (view) => {
    const [file] = named(view, names);
    return file ? { root: file.path, files: [file] } : null;
  };

function loraFile<F extends Listed>(view: View<F>, context: SelectionContext): Selection<F> | null {
  return firstOf(LORAS)(view, context);
}

function wordFile<F extends Listed>(view: View<F>, context: SelectionContext): Selection<F> | null {
  return firstOf(LEARNED)(view, context);
}

/** The one file of weights that there is; safetensors before pickles. */
function oneWeightFile<F extends Listed>(view: View<F>): Selection<F> | null {
  const files = [...view.files.values()];
  for (const ending of [/\.safetensors$/, /\.(ckpt|bin|pt|pth)$/]) {
    const fitting = files.filter((f) => ending.test(f.path));
    const [only] = fitting;
    if (only && fitting.length === 1) return { root: only.path, files: [only], guessed: true };
    if (only)
      return {
        not: `holds several files that could be meant; add one to its name: ${shown(fitting.map((f) => f.path))}`,
      };
  }
  return null;
}

/** A folder as it is, without what is only there for the reader of its page. */
function everything<F extends Listed>(view: View<F>): Selection<F> | null {
  const files = [...view.files.values()].filter((f) => !/(^|\/)(README\.md|\.gitattributes|LICENSE.*)$/i.test(f.path));
  return files.length > 0 ? { root: view.root, files, guessed: true } : null;
}

/** Files of a view by their names, as far as they are there. */
const named = <F extends Listed>(view: View<F>, names: readonly string[]): F[] =>
  names.flatMap((name) => view.files.get(name) ?? []);

/** The first few of many, for messages. */
function shown(names: readonly string[]): string {
  const some = names.slice(0, 10).join(", ") || "nothing";
  return names.length > 10 ? `${some} and ${names.length - 10} more` : some;
}
