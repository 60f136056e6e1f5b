/** Diffusers folders: components with class, config and location of the weights. */
import { z } from "zod";
import { FileError } from "../errors.js";
import {
  DENOISER_FOLDERS,
  FAMILIES,
  FAMILY_NAMES,
  type Family,
  factsOf,
  otherClass,
  SUPPORTED_FAMILIES,
  TEXT_ENCODER_FOLDERS,
  TOKENIZER_FOLDERS,
} from "../families/index.js";
import type { WeightIndex } from "../tensor/index.js";
import type { Checkpoint, Component, ConfigSource, TokenizerFiles } from "./component.js";
import { openComponentWeights } from "./component-weights.js";
import { contents, exists, type FileSystem, firstThere, folderOf, isFile, nameIn, readJson } from "./file-system.js";
import { readSingleFile } from "./single-file.js";
import { type OpenedUNet, readUNet } from "./unet.js";

const object = z.record(z.string(), z.unknown());
const entry = z.tuple([z.string().nullable(), z.string().nullable()]);
/** Components that generation does not need, by their names in diffusers' pipelines. */
const NOT_NEEDED = ["feature_extractor", "image_processor", "safety_checker", "image_encoder", "watermark"];

async function readObject(files: FileSystem, file: string): Promise<Readonly<Record<string, unknown>>> {
  const parsed = object.safeParse(await readJson(files, file));
  if (parsed.success) return parsed.data;
  throw new FileError(file, "is JSON, but not an object");
}

async function mustBeFolder(files: FileSystem, folder: string): Promise<void> {
  const kind = await files.kindOf(folder);
  if (kind === null) throw new FileError(folder, "there is no such folder");
  if (kind === "file") throw new FileError(folder, "is a file; a diffusers folder was expected");
}

/**
 * Opens a diffusers folder by its model_index.json (by its sub-folders where that is missing), without reading its weights, or a
 * single-file checkpoint.
 * @throws FileError naming the missing part, or the family when it is not supported
 */
export async function openCheckpoint(files: FileSystem, folder: string): Promise<Checkpoint> {
  if (await isFile(files, folder)) return readSingleFile(await files.open(folder), files.clipTokenizer);
  await mustBeFolder(files, folder);
  const indexFile = files.join(folder, "model_index.json");
  const written = await exists(files, indexFile);
  const index = written ? await readObject(files, indexFile) : await indexOf(files, folder);
  const className = typeof index["_class_name"] === "string" ? index["_class_name"] : "unknown";
  mustBeDrawn(indexFile, className);
  const components = new Map<string, Component>();
  const tokenizers = new Map<string, TokenizerFiles>();
  const notes = written ? [] : ["model_index.json is missing: the parts are those whose folders are there"];
  let scheduler: ConfigSource | null = null;
  for (const [name, value] of Object.entries(index)) {
    const parsed = entry.safeParse(value);
    const partClass = parsed.data?.[1];
    // The index mixes flags and components; an absent component is [null, null].
    if (!parsed.success || partClass == null) continue;
    if (!/^\w+$/.test(name)) throw new FileError(indexFile, `${JSON.stringify(name)} is not the name of a component`);
    const part = files.join(folder, name);
    if (name === "scheduler") {
      const file = files.join(part, "scheduler_config.json");
      scheduler = { file, config: await readObject(files, file) };
    } else if (name.startsWith("tokenizer")) {
      tokenizers.set(name, await openTokenizer(files, part));
    } else if (NEEDED.includes(name) && (await exists(files, part))) {
      const { config, configFile } = await readConfig(files, part);
      components.set(
        DENOISER_FOLDERS.includes(name) ? "unet" : name,
        component(files, name, partClass, part, configFile, config),
      );
    } else if (!NEEDED.includes(name)) {
      notes.push(
        `${name} (${partClass}) is left out: ${NOT_NEEDED.includes(name) ? "no picture needs it" : "unknown here"}`,
      );
    }
  }
  const unet = components.get("unet")?.config ?? {};
  const family = familyOf(className, unet);
  if (!scheduler && !written && !FAMILIES[family].ambiguousPrediction) {
    scheduler = { file: folder, config: FAMILIES[family].scheduler };
    notes.push(
      `scheduler/ is missing: taken as ${FAMILIES[family].title} was trained (${scheduler.config["_class_name"]})`,
    );
  }
  const recognised = { about: FAMILIES[family].title, because: [becauseOf(className, written, unet)] };
  return { path: folder, className, index, components, scheduler, tokenizers, recognised, notes, family };
}

/** Components that generation needs. */
const NEEDED = [...DENOISER_FOLDERS, "vae", ...TEXT_ENCODER_FOLDERS];

function becauseOf(className: string, written: boolean, unet: Readonly<Record<string, unknown>>): string {
  const text = textWidth(unet);
  const width = text === null ? "" : `; its UNet reads text of ${text} features`;
  return `${written ? `model_index.json says ${className}` : "its folders are named as a pipeline's"}${width}`;
}

const familyOf = (className: string, unet: Readonly<Record<string, unknown>>): Family => {
  const other = FAMILY_NAMES.find((name) => {
    const { pipeline, otherPipelines = [] } = factsOf(name);
    return isTransformer(name) && [pipeline, ...otherPipelines].includes(className);
  });
  if (other) return other;
  if (/XL/.test(className) || unet["addition_embed_type"] === "text_time") return "sdxl";
  return textWidth(unet) === 1024 ? "sd2" : "sd1";
};

/** cross_attention_dim of a UNet: a number, or a list with the same number for each block; null for any other value. */
function textWidth(unet: Readonly<Record<string, unknown>>): number | null {
  const given = unet["cross_attention_dim"];
  const [first, ...others]: unknown[] = Array.isArray(given) ? given : [given];
  return typeof first === "number" && others.every((width) => width === first) ? first : null;
}

const isTransformer = (family: Family): boolean => FAMILIES[family].denoiser.folder === "transformer";

/** @throws FileError naming the family of the class when it is not supported */
function mustBeDrawn(file: string, className: string): void {
  const other = otherClass(className);
  if (other) throw new FileError(file, `says ${className}: ${other}; ${SUPPORTED_FAMILIES}`);
}

/** Infers a missing model_index.json from the sub-folders. @throws FileError when none of them is a UNet */
async function indexOf(files: FileSystem, folder: string): Promise<Readonly<Record<string, unknown>>> {
  const has = await contents(files, folder);
  const config = async (name: string) => {
    const file = files.join(folder, name, "config.json");
    return (await exists(files, file)) ? classOf(await readObject(files, file)) : null;
  };
  const own = files.join(folder, "config.json");
  if (await exists(files, own)) mustBeDrawn(own, classOf(await readObject(files, own)));
  const network = files.join(folder, "transformer", "config.json");
  if (await exists(files, network)) mustBeDrawn(network, classOf(await readObject(files, network)));
  const found = await Promise.all(NEEDED.map(async (name) => [name, await config(name)] as const));
  const parts: Readonly<Record<string, readonly [string, string]>> = Object.fromEntries(
    found.flatMap(([name, cls]) => (cls === null ? [] : [[name, ["", cls] as const]])),
  );
  if (!DENOISER_FOLDERS.some((name) => name in parts)) {
    const named = /\.(safetensors|ckpt|gguf|sft|pt|bin)\b/.test(has) ? "; a file in it may be named itself" : "";
    throw new FileError(folder, `is no diffusers folder: model_index.json is missing; it has: ${has}${named}`);
  }
  const others: string[] = [];
  for (const name of TOKENIZER_FOLDERS) {
    if (await exists(files, files.join(folder, name))) others.push(name);
  }
  const scheduler = await exists(files, files.join(folder, "scheduler", "scheduler_config.json"));
  const transformer = FAMILY_NAMES.find(
    (name) => isTransformer(name) && parts["transformer"]?.[1] === FAMILIES[name].denoiser.className,
  );
  return {
    _class_name: transformer
      ? FAMILIES[transformer].pipeline
      : "text_encoder_2" in parts
        ? "StableDiffusionXLPipeline"
        : "StableDiffusionPipeline",
    ...parts,
    ...Object.fromEntries(others.map((name) => [name, ["transformers", "CLIPTokenizer"]])),
    ...(scheduler && { scheduler: ["diffusers", "a scheduler"] }),
  };
}

/** diffusers writes its class into the config, transformers writes its architecture. */
const classOf = (config: Readonly<Record<string, unknown>>): string => {
  const named =
    config["_class_name"] ?? (Array.isArray(config["architectures"]) ? config["architectures"][0] : undefined);
  return typeof named === "string" ? named : "unknown";
};

async function readConfig(files: FileSystem, folder: string) {
  const configFile = files.join(folder, "config.json");
  return { configFile, config: await readObject(files, configFile) };
}

function component(
  files: FileSystem,
  name: string,
  className: string,
  folder: string,
  configFile: string,
  config: Readonly<Record<string, unknown>>,
  tokenizer: TokenizerFiles | null = null,
): Component {
  // diffusers writes its class into the config, transformers writes its architecture.
  const stem = "_class_name" in config ? "diffusion_pytorch_model" : "model";
  let weights: Promise<WeightIndex> | undefined;
  return {
    name,
    className,
    configFile,
    config,
    tokenizer,
    weights: () => {
      weights ??= openComponentWeights(files, folder, stem);
      return weights;
    },
  };
}

/** Opens the folder of one network: config.json, weights, optionally a tokenizer. @throws FileError */
export async function openComponentFolder(files: FileSystem, folder: string): Promise<Component> {
  await mustBeFolder(files, folder);
  const { config, configFile } = await readConfig(files, folder);
  const className = classOf(config);
  mustBeDrawn(configFile, className);
  const places = [folder, ...tokenizerBeside(files, folder)];
  const vocabulary = places.flatMap((place) => VOCABULARY.map((name) => files.join(place, name)));
  const found = await firstThere(files, vocabulary);
  const tokenizer = found === null ? null : await openTokenizer(files, folderOf(found));
  return component(files, nameIn(folder), className, folder, configFile, config, tokenizer);
}

/** The folder of the tokenizer of a pipeline's text encoder: tokenizer_2/ beside text_encoder_2/. */
function tokenizerBeside(files: FileSystem, folder: string): string[] {
  const [own, number = ""] = /^text_encoder(_\d)?$/.exec(nameIn(folder)) ?? [];
  return own === undefined ? [] : [files.join(folderOf(folder), `tokenizer${number}`)];
}

/** File of a SentencePiece model. */
const SENTENCE_PIECE = "spiece.model";
/** Files of a tokenizer, one of which is there. */
const VOCABULARY = ["tokenizer.json", "vocab.json", SENTENCE_PIECE];

/** Reads the files of a tokenizer, from its folder or beside one of them, or from a GGUF file. @throws FileError when no format is complete */
export async function openTokenizer(files: FileSystem, place: string): Promise<TokenizerFiles> {
  const isOne = await isFile(files, place);
  if (isOne && !VOCABULARY.includes(nameIn(place))) {
    const found = await (await import("./gguf-tokenizer.js")).readGgufTokenizer(await files.open(place));
    if (found) return found;
    throw new FileError(
      place,
      `holds no tokenizer; expected a folder, ${VOCABULARY.join(", ")} or a GGUF file of a text encoder`,
    );
  }
  const folder = isOne ? folderOf(place) : place;
  const file = (name: string) => files.join(folder, name);
  const json = (name: string) => readJson(files, file(name), { optional: true });
  const read = {
    folder,
    tokenizer: await json("tokenizer.json"),
    vocab: await json("vocab.json"),
    merges: await files.text(file("merges.txt")),
    config: await json("tokenizer_config.json"),
    specialTokens: await json("special_tokens_map.json"),
    addedTokens: await json("added_tokens.json"),
  };
  if (read.tokenizer === undefined && (await isFile(files, file(SENTENCE_PIECE)))) {
    const source = await files.open(file(SENTENCE_PIECE));
    return { ...read, sentencePiece: await source.read(0, source.size) };
  }
  if (read.tokenizer === undefined && (read.vocab === undefined || read.merges === undefined)) {
    throw new FileError(
      folder,
      "holds no tokenizer: tokenizer.json, spiece.model, or vocab.json with merges.txt, is needed",
    );
  }
  return read;
}

/** Folder of the only network outside a pipeline: the folder itself, or its unet/ or transformer/; null when there is none. */
export async function loneFolder(files: FileSystem, ref: string): Promise<string | null> {
  return (await exists(files, files.join(ref, "model_index.json"))) ? null : networkIn(files, ref);
}

/** The first folder of a list with a config; null if there is none. */
async function withConfig(files: FileSystem, folders: readonly string[]): Promise<string | null> {
  const found = await firstThere(
    files,
    folders.map((folder) => files.join(folder, "config.json")),
  );
  return found === null ? null : folderOf(found);
}

const networkIn = (files: FileSystem, ref: string): Promise<string | null> =>
  withConfig(files, [...DENOISER_FOLDERS.map((name) => files.join(ref, name)), ref]);

/** File names of adapters, as trainers write them. */
const ADAPTER_FILES = [
  "pytorch_lora_weights.safetensors",
  "pytorch_lora_weights.bin",
  "adapter_model.safetensors",
  "adapter_model.bin",
];
/** PEFT's config beside its adapter_model files. */
const ADAPTER_CONFIG = "adapter_config.json";

/**
 * File of an adapter: the given file, or the one in a folder saved by diffusers or PEFT.
 * @throws FileError listing the folder's content when it has none
 */
export async function adapterFile(files: FileSystem, place: string): Promise<string> {
  if ((await files.kindOf(place)) !== "folder") return place;
  const found = await adapterIn(files, place);
  if (found) return found;
  throw new FileError(
    place,
    `is a folder without an adapter (${ADAPTER_FILES.join(", ")}); it has: ${await contents(files, place)}`,
  );
}

/** Adapter file in a folder; null when it has none. */
export const adapterIn = (files: FileSystem, folder: string): Promise<string | null> =>
  firstThere(
    files,
    ADAPTER_FILES.map((name) => files.join(folder, name)),
  );

/**
 * PEFT's config of an adapter file; undefined for a file of another tool.
 * @throws FileError when a file that PEFT wrote has none, since only the config holds its strength
 */
export async function adapterConfig(
  files: FileSystem,
  file: string,
): Promise<{ file: string; fields: unknown } | undefined> {
  if (!/^adapter_model\.\w+$/.test(nameIn(file))) return undefined;
  const config = files.join(folderOf(file), ADAPTER_CONFIG);
  const fields = await readJson(files, config, { optional: true });
  if (fields !== undefined) return { file: config, fields };
  throw new FileError(file, `${ADAPTER_CONFIG} is missing beside it; PEFT writes the strength there (lora_alpha, r)`);
}

/** Folder of an autoencoder: the given one, or vae/ in a pipeline. @throws FileError listing the content found instead */
export async function autoencoderFolder(files: FileSystem, place: string): Promise<string> {
  const found = await withConfig(files, [place, files.join(place, "vae")]);
  if (found) return found;
  throw new FileError(
    place,
    `holds no autoencoder (config.json with weights, or vae/); it has: ${await contents(files, place)}`,
  );
}

/**
 * Opens a denoiser: a pipeline folder, a folder with unet/ or transformer/ in it, its own folder, a file of weights, which takes its config from `like`, or a
 * LoRA on `like`. @throws FileError describing any other content
 */
export async function openUNet(files: FileSystem, ref: string, like: Component): Promise<OpenedUNet> {
  const kind = await files.kindOf(ref);
  if (kind === null) throw new FileError(ref, "there is no such file or folder");
  if (kind === "file") return readUNet(await files.open(ref), like);
  // Only the UNet of a pipeline is opened: the other components may be missing.
  const folder = await networkIn(files, ref);
  if (folder === null) {
    const adapter = await adapterIn(files, ref);
    if (adapter) return readUNet(await files.open(adapter), like);
    throw new FileError(
      ref,
      `holds no denoiser (unet/config.json, transformer/config.json or config.json); it has: ${await contents(files, ref)}`,
    );
  }
  const unet = await openComponentFolder(files, folder);
  if (unet.className !== like.className) {
    throw new FileError(unet.configFile, `is a ${unet.className}; a ${like.className} was expected, as the base is`);
  }
  const own = files.join(ref, "scheduler", "scheduler_config.json");
  return {
    unet,
    scheduler: (await exists(files, own)) ? { file: own, config: await readObject(files, own) } : null,
    lora: false,
    metadata: {},
  };
}
