/** Paths of a pair → its configs, weight indices and tokenizers, checked against each other. Starts no runtime. */
import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { Part } from "../adapters/index.js";
import { type Checkpoint, type Component, readTextEncoder, withTextEncoders } from "../checkpoint/index.js";
import { openCheckpoint, openComponentFolder, openFile, openUNet } from "../checkpoint/node/index.js";
import { AUTOENCODERS, type DecoderFiles, parseDecoder } from "../decode/index.js";
import { FileError, RequestError, UnsupportedConfigError } from "../errors.js";
import { FAMILIES, type Family, factsOf } from "../families/index.js";
import type { ModelSource, PlanSource } from "../generate/index.js";
import type { LookupOptions } from "../lookup/index.js";
import {
  type Denoiser,
  denoiserOf,
  type ImageSize,
  parseLanguageModelConfig,
  parseTextEncoderConfig,
} from "../models/index.js";
import type { WeightIndex } from "../tensor/index.js";
import { createQwenTokenizer, createTokenizer, type TextEncoderParts } from "../text/index.js";
import type { Adaptable } from "./adapters.js";
import { readDecoder } from "./decoder.js";
import { knownBase, knownDistilled, suggestionsFor } from "./evidence.js";
import type { Located, LocatedPair } from "./locate.js";

/** Denoiser read from files. */
export interface ModelFiles extends ModelSource {
  readonly component: Component;
  readonly denoiser: Denoiser;
  readonly weights: () => Promise<WeightIndex>;
}

/** Pair read from files, without a runtime. */
export interface PairFiles extends PlanSource, Adaptable {
  readonly family: Family;
  readonly row: LocatedPair["row"];
  readonly lookup: LookupOptions;
  readonly located: LocatedPair;
  readonly base: ModelFiles;
  readonly distilled: ModelFiles | null;
  readonly textEncoders: readonly TextEncoderParts[];
  readonly decoder: DecoderFiles;
  readonly size: ImageSize;
  readonly zeroNegative: boolean;
}

/** Default image side in latents, if no config has one. */
const SIDE = 64;

/**
 * Reads a pair. Of weight files only headers are read, when first needed.
 * @throws FileError, UnsupportedConfigError when a part cannot be used; RequestError when the parts do not fit together
 */
export async function readPair(located: LocatedPair): Promise<PairFiles> {
  const { row, lookup } = located;
  const checkpoint = await readCheckpoint(located);
  const { family } = checkpoint;
  const unet = part(checkpoint, "unet", [FAMILIES[family].denoiser.className]);
  const textEncoders = readTextEncoders(checkpoint);
  const decoder = await decoderOf(located, checkpoint);
  const scaleFactor = decoder.config.scaleFactor;
  const scheduler = schedulerOf(checkpoint);
  const base: ModelFiles = {
    ...modelFiles(located.base, unet, scheduler, scaleFactor),
    ...placeIn(located.base.path, located),
    known: knownBase(located.base),
    ...(checkpoint.index["is_distilled"] === true && { isDistilled: true }),
  };
  const { in_channels: channels, out_channels: predicted } = base.denoiser.interface;
  if (channels !== predicted) {
    // Inpainting and image-to-image models have additional input channels.
    throw new UnsupportedConfigError({
      file: unet.configFile,
      key: "in_channels",
      actual: channels,
      supported: `${predicted} (out_channels), text-to-image models`,
    });
  }
  mustDecode(decoder, base);
  const distilled = located.distilled && (await readDistilled(located.distilled, base, scaleFactor, located, family));
  const features =
    textEncoders.reduce((n, e) => n + e.config.features, 0) * (factsOf(family).text.chat?.states?.length ?? 1);
  if (features !== base.denoiser.textFeatures) {
    throw new RequestError(
      `${located.base.ref}: the denoiser expects ${base.denoiser.textFeatures} text features; its text encoders give ${features}`,
    );
  }
  const parts = new Map<Part, () => Promise<WeightIndex>>([["unet", unet.weights]]);
  for (const [i, { component }] of FAMILIES[family].textEncoders.entries()) {
    const weights = textEncoders[i]?.weights;
    if (weights) parts.set(component, weights);
  }
  const size = row?.size ?? base.denoiser.size ?? { width: SIDE * scaleFactor, height: SIDE * scaleFactor };
  return {
    row,
    located,
    family,
    image: { size, pixelsPerToken: base.denoiser.multiple },
    base,
    distilled,
    textEncoders,
    decoder,
    parts,
    lookup,
    suggestions: located.distilled ? suggestionsFor(located.distilled, family) : [],
    size,
    zeroNegative: FAMILIES[family].zeroNegative && checkpoint.index["force_zeros_for_empty_prompt"] !== false,
  };
}

/** Checkpoint of the base, with the text encoders of the request. */
async function readCheckpoint({ base, textEncoders }: LocatedPair): Promise<Checkpoint> {
  const checkpoint = await openCheckpoint(base.path);
  const own: Component[] = [];
  for (const path of textEncoders) {
    const isFile = statSync(path, { throwIfNoEntry: false })?.isFile();
    own.push(
      await (isFile
        ? readTextEncoder(await openFile(path), "text_encoder", checkpoint.family)
        : openComponentFolder(path)),
    );
  }
  return own.length > 0 ? withTextEncoders(checkpoint, own) : checkpoint;
}

function modelFiles(
  { ref }: Located,
  component: Component,
  scheduler: ModelSource["scheduler"],
  scaleFactor: number,
): ModelFiles {
  const source = { file: component.configFile, config: component.config };
  const denoiser = denoiserOf(component.className, source, scaleFactor);
  const { embedsGuidance } = denoiser;
  return { ref, component, denoiser, weights: component.weights, scheduler, embedsGuidance, isLora: false };
}

async function readDistilled(
  distilled: Located,
  base: ModelFiles,
  scaleFactor: number,
  located: LocatedPair,
  family: Family,
): Promise<ModelFiles> {
  const { unet, scheduler, lora, metadata } = await openUNet(distilled.path, base.component);
  const files = modelFiles(distilled, unet, scheduler ?? base.scheduler, scaleFactor);
  mustFit(base, files);
  const width = unet.config["time_cond_proj_dim"];
  const guidanceFeatures = files.embedsGuidance && typeof width === "number" ? width : null;
  const known = await knownDistilled(distilled, { family, isLora: lora, guidanceFeatures, metadata });
  // A file has no scheduler config: that of the named pair, or of the pair that it is recognised as.
  const named = located.distilled === distilled && located.row?.distilled === distilled.ref ? located.row : null;
  const config = named ? named.distilledScheduler : known?.scheduler;
  const pair = named?.name ?? known?.pair;
  const own = scheduler === null && config && pair ? { file: `the pair ${pair}`, config, pair } : files.scheduler;
  return { ...files, scheduler: own, isLora: lora, ...placeIn(distilled.path, located), known };
}

/** Path of a model if model folders are searched, since its name is not valid without them. */
const placeIn = (path: string, { lookup: { modelFolders = [] } }: LocatedPair): { readonly path?: string } =>
  modelFolders.length > 0 && existsSync(path) ? { path: resolve(path) } : {};

/** Decoder of the request, or of the checkpoint. */
async function decoderOf({ decoder }: LocatedPair, checkpoint: Checkpoint): Promise<DecoderFiles> {
  if (decoder === null) return parseDecoder(part(checkpoint, "vae", AUTOENCODERS));
  // Latents have the scaling factor of the checkpoint's autoencoder, or of its family if it has none.
  const own = checkpoint.components.get("vae");
  const scale = own?.className === "AutoencoderKL" ? own.config["scaling_factor"] : undefined;
  return readDecoder(decoder, typeof scale === "number" ? scale : FAMILIES[checkpoint.family].latents.scale);
}

/** Component of a checkpoint. @throws FileError if it is missing, UnsupportedConfigError if its class is not supported */
function part(checkpoint: Checkpoint, name: string, classes: readonly string[]): Component {
  const component = checkpoint.components.get(name);
  if (!component && statSync(checkpoint.path).isFile()) {
    throw new FileError(
      checkpoint.path,
      name === "vae"
        ? "holds no autoencoder; name one with --decoder"
        : "holds a UNet without text encoders: give it as --distilled, or name them with --text-encoder (one for Stable Diffusion 1.x and 2.x, two for XL)",
    );
  }
  if (!component) {
    const has = [...checkpoint.components.keys()].join(", ");
    throw new FileError(checkpoint.path, `${name} is missing; the folder has: ${has || "no components"}`);
  }
  if (!classes.includes(component.className)) {
    throw new UnsupportedConfigError({
      file: component.configFile,
      key: "_class_name",
      actual: component.className,
      supported: classes.join(", "),
    });
  }
  return component;
}

function schedulerOf(checkpoint: Checkpoint): ModelSource["scheduler"] {
  if (checkpoint.scheduler) return checkpoint.scheduler;
  throw new FileError(
    checkpoint.path,
    "scheduler/scheduler_config.json is missing; it holds the noise schedule of the training",
  );
}

const CLIPS = ["CLIPTextModel", "CLIPTextModelWithProjection"];
const LANGUAGE_MODELS = ["Qwen3Model", "Qwen3ForCausalLM"];

/** Text encoders of the family's denoiser, each with its tokenizer. */
function readTextEncoders(checkpoint: Checkpoint): TextEncoderParts[] {
  const { textEncoders, text } = FAMILIES[checkpoint.family];
  return textEncoders.map(({ component: name, tokenizer, pooled }) => {
    const component = part(checkpoint, name, text.chat ? LANGUAGE_MODELS : CLIPS);
    const files = checkpoint.tokenizers.get(tokenizer);
    if (!files) throw new FileError(checkpoint.path, `the tokenizer of ${name} is missing`);
    const source = { file: component.configFile, config: component.config };
    const { weights } = component;
    if (text.chat) {
      const config = parseLanguageModelConfig(source);
      return { kind: "language model", config, tokenizer: createQwenTokenizer(files), weights };
    }
    const config = parseTextEncoderConfig(source);
    return { config, tokenizer: createTokenizer(files, config.positions), weights, pooled };
  });
}

/** Checks that the decoder reads the latents of the denoiser. @throws RequestError */
function mustDecode({ component, config }: DecoderFiles, { ref, denoiser }: ModelFiles): void {
  const side = config.kind === "kl" ? (config.folding?.side ?? 1) : 1;
  const channels = config.latentChannels * side ** 2;
  if (channels === denoiser.channels) return;
  throw new RequestError(
    `${component.configFile} decodes latents of ${channels} channels; those of ${ref} have ${denoiser.channels}`,
    { field: "decoder" },
  );
}

/** Checks that two denoisers can share a run: their inputs and outputs have equal shapes. @throws RequestError */
function mustFit(base: ModelFiles, distilled: ModelFiles): void {
  const other = distilled.denoiser.interface;
  const differ = Object.entries(base.denoiser.interface).filter(([key, value]) => other[key] !== value);
  if (differ.length === 0) return;
  const list = differ.map(([key, value]) => `${key}: base ${value}, distilled ${other[key]}`).join("; ");
  throw new RequestError(`${distilled.ref} does not fit ${base.ref}: ${list}`);
}
