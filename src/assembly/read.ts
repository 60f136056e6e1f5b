/** Places of a pair in a file system → its configs, weight indices and tokenizers, checked against each other. Starts no runtime. */
import type { Part } from "../adapters/index.js";
import {
  type Checkpoint,
  type Component,
  type FileSystem,
  isFile,
  openCheckpoint,
  openComponentFolder,
  openTokenizer,
  openUNet,
  readTextEncoder,
  type TokenizerFiles,
  withTextEncoders,
} from "../checkpoint/index.js";
import { type DecoderFiles, parseDecoder } from "../decode/index.js";
import { FileError, RequestError, UnsupportedConfigError } from "../errors.js";
import { FAMILIES, type Family, factsOf, type TextEncoderFacts } from "../families/index.js";
import type { KnownModel, ModelSource, PlanSource } from "../generate/index.js";
import { AUTOENCODERS, type Denoiser, denoiserOf, type ImageSize, parseTextEncoderConfig } from "../models/index.js";
import type { WeightIndex } from "../tensor/index.js";
import { createTokenizer, readGemma, readLanguageModel, readT5, type TextEncoderParts } from "../text/index.js";
import type { Adaptable } from "./adapters.js";
import { readDecoder } from "./decoder.js";
import type { ModelPlace } from "./place.js";

/** Where the models of a pair are. */
export interface PairPlaces {
  /** Default settings of a named pair. */
  readonly row: PlanSource["row"];
  readonly base: ModelPlace;
  readonly distilled: ModelPlace | null;
  readonly textEncoders: readonly string[];
  readonly decoder: string | null;
  /** Folder of the tokenizer of the text encoder that is no CLIP, instead of its own. */
  readonly tokenizer?: string | null;
  /** Folders of tokenizers by kind of text encoder, for files that hold none. */
  readonly tokenizers?: Tokenizers;
}

/** Folders of tokenizers by kind of text encoder. */
export type Tokenizers = { readonly [K in TextEncoderFacts["kind"]]?: string };

/** Facts that a distilled model is recognised by. */
export interface DistilledFacts {
  readonly family: Family;
  readonly isLora: boolean;
  readonly guidanceFeatures: number | null;
  readonly metadata: Readonly<Record<string, string>>;
}

type Config = Readonly<Record<string, unknown>>;

/** Recognises models as those of a named pair. */
export interface Recogniser {
  base(): KnownModel | null;
  distilled(facts: DistilledFacts): Promise<KnownModel | null>;
  /** Scheduler config of the named pair, or of the pair that the distilled model was recognised as. */
  schedulerOf(known: KnownModel | null): { readonly config: Config; readonly pair: string } | null;
}

const UNKNOWN: Recogniser = { base: () => null, distilled: async () => null, schedulerOf: () => null };

/** Denoiser read from files. */
export interface ModelFiles extends ModelSource {
  readonly component: Component;
  readonly denoiser: Denoiser;
  readonly weights: () => Promise<WeightIndex>;
}

/** Pair read from files, without a runtime. */
export interface PairParts extends PlanSource, Adaptable {
  readonly family: Family;
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
export async function readParts(
  files: FileSystem,
  places: PairPlaces,
  known: Recogniser = UNKNOWN,
): Promise<PairParts> {
  const { row } = places;
  const checkpoint = await readCheckpoint(files, places);
  const { family } = checkpoint;
  const unet = await part(files, checkpoint, "unet", [FAMILIES[family].denoiser.className]);
  const encoders = await readTextEncoders(files, checkpoint, places);
  const decoder = await decoderOf(files, places, checkpoint);
  const scaleFactor = decoder.config.scaleFactor;
  const scheduler = schedulerOf(checkpoint);
  const read: ModelFiles = {
    ...(await modelFiles(places.base, unet, scheduler, scaleFactor)),
    known: known.base(),
  };
  const { embedded } = factsOf(family).sampling;
  const isDistilled =
    checkpoint.index["is_distilled"] === true ||
    (embedded !== undefined && read.embedsGuidance === (embedded.of === "distilled"));
  const base: ModelFiles = { ...read, ...(isDistilled && { isDistilled }) };
  const textEncoders = encoders.map((own) => own ?? absent(base.denoiser.textFeatures));
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
  const distilled =
    places.distilled &&
    (await readDistilled(
      files,
      places.distilled,
      base,
      scaleFactor,
      (facts) => known.distilled({ family, ...facts }),
      known,
    ));
  mustRead(base, textEncoders, family);
  const parts = new Map<Part, () => Promise<WeightIndex>>([["unet", unet.weights]]);
  for (const [i, { component }] of factsOf(family).textEncoders.entries()) {
    const encoder = textEncoders[i];
    if (encoder && encoder.kind !== "absent") parts.set(component, encoder.weights);
  }
  const size = row?.size ?? base.denoiser.size ?? { width: SIDE * scaleFactor, height: SIDE * scaleFactor };
  return {
    row,
    family,
    image: { size, pixelsPerToken: base.denoiser.multiple },
    base,
    distilled,
    textEncoders,
    decoder,
    parts,
    size,
    zeroNegative: FAMILIES[family].zeroNegative && checkpoint.index["force_zeros_for_empty_prompt"] !== false,
  };
}

/** Checkpoint of the base, with the text encoders of the request. */
async function readCheckpoint(files: FileSystem, { base, textEncoders }: PairPlaces): Promise<Checkpoint> {
  const checkpoint = await openCheckpoint(files, base.path);
  const own: Component[] = [];
  for (const path of textEncoders) {
    own.push(
      await ((await isFile(files, path))
        ? readTextEncoder(await files.open(path), "text_encoder", checkpoint.family)
        : openComponentFolder(files, path)),
    );
  }
  return own.length > 0 ? withTextEncoders(checkpoint, own) : checkpoint;
}

async function modelFiles(
  { ref }: ModelPlace,
  component: Component,
  scheduler: ModelSource["scheduler"],
  scaleFactor: number,
): Promise<ModelFiles> {
  const source = { file: component.configFile, config: component.config };
  const denoiser = await denoiserOf(component.className, source, scaleFactor);
  const { embedsGuidance } = denoiser;
  return { ref, component, denoiser, weights: component.weights, scheduler, embedsGuidance, isLora: false };
}

async function readDistilled(
  files: FileSystem,
  distilled: ModelPlace,
  base: ModelFiles,
  scaleFactor: number,
  recognise: (facts: Omit<DistilledFacts, "family">) => Promise<KnownModel | null>,
  { schedulerOf }: Recogniser,
): Promise<ModelFiles> {
  const { unet, scheduler, lora, metadata } = await openUNet(files, distilled.path, base.component);
  const read = await modelFiles(distilled, unet, scheduler ?? base.scheduler, scaleFactor);
  mustFit(base, read);
  const width = unet.config["time_cond_proj_dim"];
  const guidanceFeatures = read.embedsGuidance && typeof width === "number" ? width : null;
  const known = await recognise({ isLora: lora, guidanceFeatures, metadata });
  // A file has no scheduler config.
  const given = scheduler === null ? schedulerOf(known) : null;
  const own = given ? { file: `the pair ${given.pair}`, ...given } : read.scheduler;
  return { ...read, scheduler: own, isLora: lora, known };
}

/** Decoder of the request, or of the checkpoint. */
async function decoderOf(files: FileSystem, { decoder }: PairPlaces, checkpoint: Checkpoint): Promise<DecoderFiles> {
  if (decoder === null) return parseDecoder(await part(files, checkpoint, "vae", AUTOENCODERS));
  // Latents have the scaling of the checkpoint's autoencoder, or of its family if it has none.
  const { scale, shift } = factsOf(checkpoint.family).latents;
  const own = checkpoint.components.get("vae");
  const config = own?.className === "AutoencoderKL" ? own.config : {};
  const given = (key: string) => (typeof config[key] === "number" ? config[key] : undefined);
  const shifted = given("shift_factor") ?? shift;
  return readDecoder(files, decoder, {
    scale: given("scaling_factor") ?? scale,
    ...(shifted !== undefined && { shift: shifted }),
  });
}

/** Component of a checkpoint. @throws FileError if it is missing, UnsupportedConfigError if its class is not supported */
async function part(
  files: FileSystem,
  checkpoint: Checkpoint,
  name: string,
  classes: readonly string[],
): Promise<Component> {
  const component = checkpoint.components.get(name);
  const { denoiser, textEncoders } = factsOf(checkpoint.family);
  const kind = denoiser.folder === "unet" ? "UNet" : "transformer";
  const about = textEncoders.flatMap((e) => (e.optional ? [] : [e.about]));
  if (!component && (await isFile(files, checkpoint.path))) {
    throw new FileError(
      checkpoint.path,
      name === "vae"
        ? "holds no autoencoder; name one with --decoder"
        : `holds a ${kind} without text encoders: give it as --distilled, or name them with --text-encoder: ${about.join(" and ")}`,
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

/** Classes of text encoders in transformers. */
const CLASSES = {
  clip: ["CLIPTextModel", "CLIPTextModelWithProjection"],
  "language model": ["Qwen3Model", "Qwen3ForCausalLM", "Qwen2_5_VLForConditionalGeneration"],
  gemma: ["Gemma2Model", "Gemma2ForCausalLM"],
  t5: ["T5EncoderModel"],
} as const;

/** Text encoders of the family's denoiser, each with its tokenizer; null for one that the checkpoint leaves out. */
async function readTextEncoders(
  system: FileSystem,
  checkpoint: Checkpoint,
  places: PairPlaces,
): Promise<(TextEncoderParts | null)[]> {
  const { title, textEncoders } = factsOf(checkpoint.family);
  if (places.tokenizer != null && textEncoders.every(({ kind }) => kind === "clip")) {
    throw new RequestError(`${title} reads text by CLIP, whose tokenizer is that of the model`, { field: "tokenizer" });
  }
  const read = textEncoders.map(async (facts): Promise<TextEncoderParts | null> => {
    const { kind, component: name, pooled, singleFile } = facts;
    if (facts.optional && !checkpoint.components.has(name) && isLeftOut(checkpoint.index[name])) return null;
    const component = await part(system, checkpoint, name, CLASSES[kind]);
    const files = await tokenizerOf(system, checkpoint, facts, component, places);
    const source = { file: component.configFile, config: component.config };
    const { weights } = component;
    if (kind === "language model") return { ...(await readLanguageModel(source, files)), weights };
    if (kind === "gemma") return { ...(await readGemma(source, files)), weights };
    if (kind === "t5") return { ...(await readT5(source, files)), weights };
    const config = parseTextEncoderConfig(source);
    return {
      config,
      tokenizer: createTokenizer(files, config.positions),
      weights,
      pooled: singleFile.unprojected && component.inferred ? "unprojected" : pooled,
    };
  });
  return Promise.all(read);
}

/** The tokenizer of a text encoder: the one asked for, else its own, else that of another program. @throws FileError where there is none */
async function tokenizerOf(
  system: FileSystem,
  checkpoint: Checkpoint,
  { kind, tokenizer: name, about, tokenizerOnHub }: TextEncoderFacts,
  component: Component,
  { tokenizer, tokenizers = {} }: PairPlaces,
): Promise<TokenizerFiles> {
  if (kind !== "clip" && tokenizer != null) return openTokenizer(system, tokenizer);
  const own = checkpoint.tokenizers.get(name) ?? component.tokenizer ?? (await component.tokenizerInside?.());
  if (own) return own;
  const other = tokenizers[kind];
  if (other !== undefined) return openTokenizer(system, other);
  const onHub = tokenizerOnHub === undefined ? "" : `, or --tokenizer ${tokenizerOnHub} (a few MB from the Hub)`;
  throw new FileError(
    checkpoint.path,
    `the tokenizer of ${component.name} (${about}) is missing; give its folder as --tokenizer${onHub}`,
  );
}

/** In place of a text encoder that is left out. @param features that the denoiser reads of a token */
const absent = (features: number): TextEncoderParts => ({
  kind: "absent",
  config: { features },
  weights: async () => ({ source: "a text encoder that is left out", weights: new Map() }),
});

/** True for the entry of a component that model_index.json does not have, or has as [null, null]. */
const isLeftOut = (entry: unknown): boolean => !(Array.isArray(entry) && entry[1] != null);

/** Checks that the text encoders give what the denoiser reads. @throws RequestError */
function mustRead({ ref, denoiser }: ModelFiles, encoders: readonly TextEncoderParts[], family: Family): void {
  const { textEncoders, text } = factsOf(family);
  const read = encoders.filter((_, i) => textEncoders[i]?.states !== false);
  const isT5 = ({ kind }: TextEncoderParts) => kind === "t5" || kind === "absent";
  const t5 = read.find(isT5)?.config.features ?? 0;
  const others = read.filter((encoder) => !isT5(encoder)).reduce((n, { config }) => n + config.features, 0);
  // The states of CLIPs are filled with zeros to T5's features.
  const features = Math.max(t5, others * (text.chat?.states?.length ?? 1));
  if (features === denoiser.textFeatures) return;
  throw new RequestError(
    `${ref}: the denoiser expects ${denoiser.textFeatures} text features; its text encoders give ${features}`,
  );
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
