/** Diffusers folders: which components there are, of which class, with which config, and where their weights lie. */
import { existsSync, statSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { FileError } from "../errors.js";
import type { WeightIndex } from "../tensor/index.js";
import { readJson, readText } from "./json.js";
import { isStability, openSingleFile, openStabilityUNet } from "./single-file.js";
import { contents, openComponentWeights, openWeights } from "./weights.js";

export interface Component {
  readonly name: string;
  readonly className: string;
  readonly folder: string;
  readonly configFile: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly tokenizer: TokenizerFiles | null;
  /** Headers of the weights, read once. @throws FileError */
  readonly weights: () => Promise<WeightIndex>;
}

/** What a tokenizer folder holds, parsed; old folders have vocab and merges, new ones tokenizer.json. */
export interface TokenizerFiles {
  readonly folder: string;
  readonly tokenizer: unknown;
  readonly vocab: unknown;
  readonly merges: string | undefined;
  readonly config: unknown;
  readonly specialTokens: unknown;
}

export interface ConfigSource {
  readonly file: string;
  readonly config: Readonly<Record<string, unknown>>;
}

export interface Checkpoint {
  readonly path: string;
  /** The pipeline's class. */
  readonly className: string;
  /** All of model_index.json. Of a checkpoint in one file: what it would say, and in `recognised` what it was taken for. */
  readonly index: Readonly<Record<string, unknown>> & { readonly recognised?: unknown };
  readonly components: ReadonlyMap<string, Component>;
  readonly scheduler: ConfigSource | null;
  readonly tokenizers: ReadonlyMap<string, TokenizerFiles>;
}

const object = z.record(z.string(), z.unknown());
const entry = z.tuple([z.string().nullable(), z.string().nullable()]);
/** Components that hold no network. */
const NOT_NETWORKS = ["scheduler", "tokenizer", "tokenizer_2", "feature_extractor", "image_processor"];

async function readObject(file: string): Promise<Readonly<Record<string, unknown>>> {
  const parsed = object.safeParse(await readJson(file));
  if (parsed.success) return parsed.data;
  throw new FileError(file, "is JSON, but not an object");
}

async function mustBeFolder(folder: string): Promise<void> {
  if (!existsSync(folder)) throw new FileError(folder, "there is no such folder");
  if (!statSync(folder).isDirectory()) throw new FileError(folder, "is a file; a diffusers folder was expected");
}

/**
 * Opens a diffusers folder by its model_index.json, whose weights are not looked at yet, or a whole checkpoint in one file.
 * @throws FileError saying what is missing
 */
export async function openCheckpoint(folder: string): Promise<Checkpoint> {
  if (existsSync(folder) && !statSync(folder).isDirectory()) return openSingleFile(folder);
  await mustBeFolder(folder);
  const indexFile = path.join(folder, "model_index.json");
  if (!existsSync(indexFile)) {
    throw new FileError(
      folder,
      `is no diffusers folder: model_index.json is missing; it has: ${await contents(folder)}`,
    );
  }
  const index = await readObject(indexFile);
  const components = new Map<string, Component>();
  const tokenizers = new Map<string, TokenizerFiles>();
  let scheduler: ConfigSource | null = null;
  for (const [name, value] of Object.entries(index)) {
    const parsed = entry.safeParse(value);
    const className = parsed.data?.[1];
    // Flags stand between the components; a component that is not there is [null, null].
    if (!parsed.success || className == null) continue;
    if (!/^\w+$/.test(name)) throw new FileError(indexFile, `${JSON.stringify(name)} is not the name of a component`);
    const part = path.join(folder, name);
    if (name === "scheduler") {
      const file = path.join(part, "scheduler_config.json");
      scheduler = { file, config: await readObject(file) };
    } else if (name.startsWith("tokenizer")) {
      tokenizers.set(name, await openTokenizer(part));
    } else if (!NOT_NETWORKS.includes(name) && existsSync(path.join(part, "config.json"))) {
      const { config, configFile } = await readConfig(part);
      components.set(name, component(name, className, part, configFile, config));
    }
  }
  const className = typeof index["_class_name"] === "string" ? index["_class_name"] : "unknown";
  return { path: folder, className, index, components, scheduler, tokenizers };
}

async function readConfig(folder: string) {
  const configFile = path.join(folder, "config.json");
  return { configFile, config: await readObject(configFile) };
}

function component(
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
    folder,
    configFile,
    config,
    tokenizer,
    weights: () => {
      weights ??= openComponentWeights(folder, stem);
      return weights;
    },
  };
}

/** A folder that holds one network: config.json, weights, perhaps a tokenizer. @throws FileError */
export async function openComponentFolder(folder: string): Promise<Component> {
  await mustBeFolder(folder);
  const { config, configFile } = await readConfig(folder);
  const named =
    config["_class_name"] ?? (Array.isArray(config["architectures"]) ? config["architectures"][0] : undefined);
  const className = typeof named === "string" ? named : "unknown";
  const hasTokenizer = existsSync(path.join(folder, "tokenizer.json")) || existsSync(path.join(folder, "vocab.json"));
  const tokenizer = hasTokenizer ? await openTokenizer(folder) : null;
  return component(path.basename(folder), className, folder, configFile, config, tokenizer);
}

/** The files of a tokenizer. @throws FileError when neither form is whole */
export async function openTokenizer(folder: string): Promise<TokenizerFiles> {
  const optional = { optional: true };
  const file = (name: string) => path.join(folder, name);
  const files = {
    folder,
    tokenizer: await readJson(file("tokenizer.json"), optional),
    vocab: await readJson(file("vocab.json"), optional),
    merges: await readText(file("merges.txt"), optional),
    config: await readJson(file("tokenizer_config.json"), optional),
    specialTokens: await readJson(file("special_tokens_map.json"), optional),
  };
  if (files.tokenizer === undefined && (files.vocab === undefined || files.merges === undefined)) {
    throw new FileError(folder, "holds no tokenizer: tokenizer.json, or vocab.json with merges.txt, is needed");
  }
  return files;
}

export interface OpenedUNet {
  readonly unet: Component;
  /** A scheduler that stands beside it. */
  readonly scheduler: ConfigSource | null;
  /** The file is a LoRA: the network is that of `like`, with it. */
  readonly lora: boolean;
}

/** Where the one network of a folder lies that is no pipeline: in it, or under unet/; null when there is none. */
export function loneFolder(ref: string): string | null {
  return existsSync(path.join(ref, "model_index.json")) ? null : networkIn(ref);
}

const networkIn = (ref: string): string | null =>
  [path.join(ref, "unet"), ref].find((f) => existsSync(path.join(f, "config.json"))) ?? null;

/** Keys that only adapter files have. */
const ADAPTER = /lora_(down|up|A|B)|hada_|lokr_|\.alpha$|\.diff(_b)?$/;

/**
 * Opens a UNet: a whole pipeline folder, a folder with unet/ in it, a UNet folder, or a file of weights alone, which then has the
 * config of `like`, or a LoRA on it. @throws FileError saying what was found instead
 */
export async function openUNet(ref: string, like: Component): Promise<OpenedUNet> {
  if (!existsSync(ref)) throw new FileError(ref, "there is no such file or folder");
  if (!statSync(ref).isDirectory()) {
    const index = await openWeights(ref);
    if ([...index.weights.keys()].some((key) => ADAPTER.test(key))) return { unet: like, scheduler: null, lora: true };
    if (isStability(index.weights.keys())) {
      return { unet: await openStabilityUNet(ref, like.config), scheduler: null, lora: false };
    }
    return { unet: { ...like, name: path.basename(ref), weights: async () => index }, scheduler: null, lora: false };
  }
  // Of a pipeline only this is opened: its other parts need not be there.
  const folder = networkIn(ref);
  if (folder === null) {
    throw new FileError(ref, `holds no UNet (unet/config.json or config.json); it has: ${await contents(ref)}`);
  }
  const unet = await openComponentFolder(folder);
  if (unet.className !== "UNet2DConditionModel") {
    throw new FileError(unet.configFile, `is a ${unet.className}; a UNet2DConditionModel was expected`);
  }
  const own = path.join(ref, "scheduler", "scheduler_config.json");
  return { unet, scheduler: existsSync(own) ? { file: own, config: await readObject(own) } : null, lora: false };
}
