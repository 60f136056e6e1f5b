/** Opens a pair of models: reads every config, checks that the parts fit, and keeps the networks that will be loaded when needed. */
import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { Adapter, Part } from "../adapters/index.js";
import { type PairRow, pairNamed, readPairs } from "../catalogue/index.js";
import {
  type Checkpoint,
  type Component,
  latentScaleOf,
  openCheckpoint,
  openComponentFolder,
  openTextEncoderFile,
  openUNet,
  withTextEncoders,
} from "../checkpoint/index.js";
import { type Decoder, decoderOf, openAutoencoder } from "../decode/index.js";
import { FileError, RequestError, UnsupportedConfigError } from "../errors.js";
import { type AdapterUse, knownPair, machineRoom, type PlanSource, type Sampled, widening } from "../generate/index.js";
import { commitOf, type Fetching } from "../hub/index.js";
import { locate, type Places, type Sources } from "../lookup/index.js";
import { drawUNet, parseTextEncoderConfig, parseUNetConfig, type UNetConfig, type UNetShape } from "../models/index.js";
import {
  type Compute,
  drawn,
  mustCompute,
  type Network,
  network,
  type Precision,
  type Preparing,
} from "../networks/index.js";
import { openRuntime, type Runtime, type RuntimeOptions, type Widen } from "../runtime/index.js";
import type { WeightIndex } from "../tensor/index.js";
import {
  createTokenizer,
  openWords,
  type TextEncoderParts,
  type TextEncoders,
  textEncoders,
  type WordReference,
} from "../text/index.js";
import { type Adaptable, type AdapterReference, openAdapter, openAdapters } from "./adapters.js";

/** One denoising network with what it is sampled by. */
export interface Model extends Sampled {
  readonly unet: UNetConfig;
  readonly weights: () => Promise<WeightIndex>;
  readonly network: Network<UNetShape>;
  /** What makes this model of the base's weights, where it is a LoRA. */
  readonly adapter: Adapter | null;
}

export interface Pair extends PlanSource, Adaptable {
  readonly base: Model;
  readonly distilled: Model | null;
  readonly text: TextEncoders;
  /** Layers of each text encoder. */
  readonly textLayers: readonly number[];
  /** Length of an encoded prompt. */
  readonly tokens: number;
  readonly decoder: Decoder;
  /** Pixels of one latent. */
  readonly factor: number;
  /** Pixels that the model was made for. */
  readonly size: { readonly width: number; readonly height: number };
  /** No negative prompt means zeros, not an encoded "". */
  readonly zeroNegative: boolean;
  /** Adapters that act on every run. */
  readonly adapters: readonly AdapterUse[];
  readonly runtime: Runtime;
  /** Of models from the Hub: the commits that they are at. */
  readonly commits: { readonly base: string | null; readonly distilled: string | null };
  readonly sources: Sources;
  /** What the networks compute in. */
  readonly compute: Compute;
  /** Bytes that a run may take. */
  readonly room: number;
  /** When weights in half precision become float32: by what fits the room. */
  readonly widen: () => Promise<Widen>;
  /** Frees everything. */
  close(): Promise<void>;
}

/** Which models to open. Either a named pair, or a base with or without a distilled model. */
export interface PairReference extends Places {
  /** Default "embedded", unless `base` is given. */
  readonly pair?: string;
  /** A JSON file with rows of one's own beside the built-in pairs. */
  readonly pairs?: string;
  /** A diffusers folder. */
  readonly base?: string;
  /** A folder with unet/, a UNet folder, a UNet state dict (.safetensors, .gguf, .bin), or a LoRA: then the distilled model is the base with it. */
  readonly distilled?: string;
  /** Another autoencoder: a folder with its config and weights, or a file. */
  readonly decoder?: string;
  /** What networks compute in; default "float32". */
  readonly compute?: Compute;
  /** The base's text encoders, where it has none or others are wanted: files or folders, in any order. */
  readonly textEncoders?: readonly string[];
  /** LoRAs and sliders for every run. */
  readonly adapters?: readonly AdapterReference[];
  /** Learned words (textual inversion) that prompts may use. */
  readonly embeddings?: readonly WordReference[];
}

/** Where a pair runs, and who hears of what is looked up and prepared for it. */
export interface OpenOptions extends RuntimeOptions, Fetching {
  /** Told while weights are unpacked or quantised, which takes a while the first time. */
  readonly onPrepare?: (preparing: Preparing) => void;
  /** Bytes that a run may take; default: 0.8 of the machine's memory, or of what the process is held to. */
  readonly room?: number;
}

/** The row that a reference names; null where it gives models instead. @throws RequestError with the nearest names */
async function rowOf({ pair, pairs, base }: PairReference): Promise<PairRow | null> {
  if (pair === undefined && base !== undefined) return null;
  return pairNamed(pair ?? "embedded", await readPairs(pairs));
}

/** What `planFor` needs of a pair: from its row alone where that tells enough, else from its files. */
export async function openPlanSource(reference: PairReference, options: OpenOptions = {}): Promise<PlanSource> {
  mustCompute(reference.compute ?? "float32", options.device ?? "cpu");
  const row = await rowOf(reference);
  const known = row && reference.base === undefined && reference.distilled === undefined ? knownPair(row) : null;
  if (known) return known;
  const pair = await openPair(reference, options);
  await pair.close();
  return pair;
}

/**
 * Opens a pair. Configs and weight headers are read and checked now; networks load when a run first needs them.
 * @throws FileError, UnsupportedConfigError when a part cannot be used; RequestError when the parts do not fit
 */
export async function openPair(reference: PairReference = {}, options: OpenOptions = {}): Promise<Pair> {
  const { compute = "float32" } = reference;
  mustCompute(compute, options.device ?? "cpu");
  const room = options.room ?? machineRoom();
  let chosen: Promise<Widen> | undefined;
  const widen = () => {
    chosen ??= widening({ text, base, distilled, decoder, compute }, room);
    return chosen;
  };
  // What is worth quantising is the UNet: it runs at every step.
  const precision: Precision = { compute, onPrepare: options.onPrepare, widen };
  const beside: Precision = compute === "int8" ? { ...precision, compute: "float32" } : precision;
  const row = await rowOf(reference);
  const baseRef = reference.base ?? row?.base ?? "";
  const distilledRef = reference.distilled ?? (reference.base === undefined ? row?.distilled : undefined);
  const sources = sourcesOf(reference, options);
  const basePath = await locate(baseRef, "pipeline", sources);
  const opened = await openCheckpoint(basePath);
  const own = await openTextEncoders(reference.textEncoders ?? [], opened, sources);
  const checkpoint = own.length > 0 ? withTextEncoders(opened, own) : opened;
  const scheduler = schedulerOf(checkpoint);
  const unetPart = part(checkpoint, "unet", ["UNet2DConditionModel"]);
  const baseUNet = parseUNetConfig({ file: unetPart.configFile, config: unetPart.config });
  const distilledPath = distilledRef === undefined ? null : await locate(distilledRef, "unet", sources);
  const distilledParts = distilledPath === null ? null : await openUNet(distilledPath, unetPart);
  const parts = new Map<Part, () => Promise<WeightIndex>>([["unet", unetPart.weights]]);
  const distilledUNet =
    distilledParts && parseUNetConfig({ file: distilledParts.unet.configFile, config: distilledParts.unet.config });
  if (baseUNet.inChannels !== baseUNet.outChannels) {
    // Inpainting and image-to-image models are shown more than the latents.
    throw new UnsupportedConfigError({
      file: unetPart.configFile,
      key: "in_channels",
      actual: baseUNet.inChannels,
      supported: `${baseUNet.outChannels}, as many as out_channels: text to image`,
    });
  }
  if (distilledUNet) mustFit(baseUNet, distilledUNet, baseRef, distilledRef ?? "");

  const family = baseUNet.textTime ? "sdxl" : "sd";
  const encoders = textParts(checkpoint, family);
  const width = encoders.reduce((n, e) => n + e.config.features, 0);
  if (width !== baseUNet.contextFeatures) {
    throw new RequestError(
      `${baseRef}: the UNet takes text of ${baseUNet.contextFeatures} features (cross_attention_dim); its text encoders give ${width}`,
    );
  }
  const decoderPart = reference.decoder
    ? await openAutoencoder(reference.decoder, sources, scalingOf(checkpoint))
    : part(checkpoint, "vae", ["AutoencoderKL", "AutoencoderTiny"]);

  for (const [i, encoder] of encoders.entries())
    parts.set(i === 0 ? "text_encoder" : "text_encoder_2", encoder.weights);
  const adapter = distilledParts?.lora
    ? await openAdapter({ parts }, distilledPath ?? "", { only: "unet", allowUnmatched: false })
    : null;
  const adapters = await openAdapters({ parts, sources }, reference.adapters ?? []);
  const words = await openWords(
    reference.embeddings ?? [],
    encoders.map((e) => e.config.features),
    sources,
  );

  const runtime = openRuntime(options);
  const model = (
    name: string,
    ref: string,
    unet: UNetConfig,
    component: Component,
    own: Model["scheduler"],
    adapter: Adapter | null = null,
  ): Model => ({
    ref,
    unet,
    guidanceFeatures: unet.guidanceFeatures,
    scheduler: own,
    weights: component.weights,
    adapter,
    isLora: adapter !== null,
    network: network(
      name,
      runtime,
      (shape: UNetShape, index) => drawn(component, () => drawUNet(unet, index, shape)),
      component.weights,
      precision,
    ),
  });
  const decoder = decoderOf(runtime, decoderPart, beside);
  const text: TextEncoders = textEncoders(runtime, family, encoders, words, beside);
  const latentSize = baseUNet.sampleSize ?? [64, 64];
  const { factor } = decoder.config;
  const base = { ...model("base", baseRef, baseUNet, unetPart, scheduler), ...foundAt(basePath, sources) };
  const distilled =
    distilledParts && distilledUNet
      ? {
          ...model(
            "distilled",
            distilledRef ?? "",
            distilledUNet,
            distilledParts.unet,
            distilledParts.scheduler ?? scheduler,
            adapter,
          ),
          ...foundAt(distilledPath ?? "", sources),
        }
      : null;
  return {
    row,
    family,
    base,
    distilled,
    text,
    textLayers: encoders.map((e) => e.config.layers),
    tokens: encoders[0]?.tokenizer.maxLength ?? 77,
    decoder,
    factor,
    size: row?.size ?? { width: latentSize[1] * factor, height: latentSize[0] * factor },
    parts,
    adapters,
    zeroNegative: family === "sdxl" && checkpoint.index["force_zeros_for_empty_prompt"] !== false,
    runtime,
    commits: { base: commitOf(basePath), distilled: commitOf(distilledPath ?? "") },
    sources,
    compute,
    room,
    widen,
    close: () => runtime.close(),
  };
}

const sourcesOf = ({ libraries, variant }: Places, { signal, onDownload }: Fetching): Sources => ({
  ...(libraries && { libraries }),
  ...(variant && { variant }),
  ...(signal && { signal }),
  ...(onDownload && { onDownload }),
});

/** The path of what lies in a tree of models: its name says it to nobody else. */
const foundAt = (path: string, { libraries = [] }: Sources): { readonly path?: string } =>
  libraries.length > 0 && existsSync(path) ? { path: resolve(path) } : {};

/** A component that must be there and be of a class that can be drawn. */
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

function schedulerOf(checkpoint: Checkpoint): Model["scheduler"] {
  if (checkpoint.scheduler) return checkpoint.scheduler;
  throw new FileError(checkpoint.path, "scheduler/scheduler_config.json is missing; it says how the model was trained");
}

/** The text encoders that `--text-encoder` names. */
async function openTextEncoders(
  refs: readonly string[],
  { family }: Checkpoint,
  sources: Sources,
): Promise<Component[]> {
  const found: Component[] = [];
  for (const ref of refs) {
    const place = await locate(ref, "text encoder", sources);
    const isFile = statSync(place, { throwIfNoEntry: false })?.isFile();
    found.push(await (isFile ? openTextEncoderFile(place, "text_encoder", family) : openComponentFolder(place)));
  }
  return found;
}

/** The scale of the latents that a checkpoint's own autoencoder has, or its family's where it has none. */
function scalingOf(checkpoint: Checkpoint): number {
  const own = checkpoint.components.get("vae");
  const scale = own?.className === "AutoencoderKL" ? own.config["scaling_factor"] : undefined;
  return typeof scale === "number" ? scale : latentScaleOf(checkpoint.family);
}

/** The text encoders that the family's UNet is conditioned on, each with its tokenizer. */
function textParts(checkpoint: Checkpoint, family: "sd" | "sdxl"): TextEncoderParts[] {
  const names = family === "sd" ? (["text_encoder"] as const) : (["text_encoder", "text_encoder_2"] as const);
  return names.map((name) => {
    const component = part(checkpoint, name, ["CLIPTextModel", "CLIPTextModelWithProjection"]);
    const files = checkpoint.tokenizers.get(name === "text_encoder" ? "tokenizer" : "tokenizer_2");
    if (!files) throw new FileError(checkpoint.path, `the tokenizer of ${name} is missing`);
    const config = parseTextEncoderConfig({ file: component.configFile, config: component.config });
    return {
      config,
      tokenizer: createTokenizer(files, config.positions),
      weights: component.weights,
      // SDXL takes the pooled text of its second encoder only.
      pooled: name === "text_encoder_2",
    };
  });
}

/** Two UNets can share a run when everything they exchange has the same shape. */
function mustFit(base: UNetConfig, distilled: UNetConfig, baseRef: string, distilledRef: string): void {
  const facts = (u: UNetConfig) => ({
    in_channels: u.inChannels,
    out_channels: u.outChannels,
    cross_attention_dim: u.contextFeatures,
    projection_class_embeddings_input_dim: u.textTime?.features ?? null,
  });
  const [a, b] = [facts(base), facts(distilled)];
  const differ = Object.entries(a).filter(([key, value]) => b[key as keyof typeof b] !== value);
  if (differ.length === 0) return;
  const list = differ.map(([key, value]) => `${key}: base ${value}, distilled ${b[key as keyof typeof b]}`).join("; ");
  throw new RequestError(`${distilledRef} does not fit ${baseRef}: ${list}`);
}
