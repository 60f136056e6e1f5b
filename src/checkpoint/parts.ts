/** Extracts one network from a file's tensors: diffusers' or transformers' names, weights left in the file, config inferred from names and shapes. */
import { FileError } from "../errors.js";
import {
  clipNames,
  diffusersNames,
  FAMILIES,
  type Family,
  factsOf,
  ownTensors,
  type Recognised,
  recognise,
  type Shapes,
  type SourceTensor,
  SUPPORTED_FAMILIES,
  tinyNames,
  vaeNames,
  wanVaeNames,
} from "../families/index.js";
import { BYTES, type ByteSource, count, valuesFrom, type Weight, type WeightIndex } from "../tensor/index.js";
import type { Component } from "./component.js";
import {
  autoencoderConfig,
  type Config,
  clipConfig,
  foldedConfig,
  tinyAutoencoderConfig,
  unetConfig,
  wanConfig,
} from "./configs.js";
import { readBytes, readWeights } from "./weights.js";

type Weights = ReadonlyMap<string, Weight>;
type Of<K extends Recognised["kind"]> = Extract<Recognised, { kind: K }>;

/** Shapes of the tensors, for recognition. */
export const shapesOf = (weights: Weights): Shapes => new Map([...weights].map(([name, w]) => [name, w.shape]));

/** Reads a file's index and recognises its model. @throws FileError */
export async function readRecognised(
  source: ByteSource,
): Promise<{ index: WeightIndex; recognised: Recognised; metadata: Readonly<Record<string, string>> }> {
  const index = await readWeights(source);
  return { index, recognised: recognise(shapesOf(index.weights)), metadata: index.metadata };
}

/** Error for a file that contains another kind of model than `wanted`. */
export const refusal = (file: string, { kind, about, because }: Recognised, wanted: string): FileError =>
  new FileError(file, `is ${about} (${because}); ${kind === "other" ? SUPPORTED_FAMILIES : wanted}`);

/** A component with an inferred config. */
const part = (
  { source }: WeightIndex,
  name: string,
  className: string,
  config: Config,
  weights: () => Promise<Weights>,
): Component => {
  let opened: Promise<WeightIndex> | undefined;
  return {
    name,
    className,
    configFile: `${source} (${name})`,
    config: { _class_name: className, ...config },
    tokenizer: null,
    inferred: true,
    weights: () => {
      opened ??= weights().then((w) => ({ source, weights: w }));
      return opened;
    },
  };
};

/** Tensors under a prefix, with the prefix removed. */
const under = (weights: Weights, prefix: string): Map<string, Weight> =>
  new Map([...weights].flatMap(([key, w]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), w] as const] : [])));

const renamed = (weights: Weights, names: ReadonlyMap<string, string>): Map<string, Weight> =>
  new Map(
    [...names].flatMap(([key, name]) => {
      const weight = weights.get(key);
      return weight ? [[name, weight] as const] : [];
    }),
  );

/** Configs of transformers, loaded for files that have one: pages open UNets, and would load them for nothing. */
const transformerConfigs = () => import("./transformer-configs.js");

/** Extracts the UNet or the transformer from a file's tensors. @throws FileError */
export async function unetPart(
  index: WeightIndex,
  { family, names, prefix }: Pick<Of<"unet">, "family" | "names" | "prefix">,
): Promise<Component> {
  const own = under(index.weights, prefix);
  const { className, transformer } = factsOf(family).denoiser;
  if (transformer) {
    const used = new Map([...own].filter(([key]) => !transformer.unused.includes(key)));
    const found = atTheirPlaces(
      used,
      names === "diffusers" ? identity(used) : ownTensors(transformer.names, [...used.keys()]),
    );
    const { transformerConfig } = await transformerConfigs();
    const config = transformerConfig(className, index.source, found.shapes);
    return part(index, "transformer", className, config, found.weights);
  }
  const weights = names === "diffusers" ? own : renamed(own, diffusersNames([...own.keys()]));
  const config = unetConfig(index.source, shapesOf(weights), family);
  return part(index, "unet", "UNet2DConditionModel", config, async () => weights);
}

const identity = (own: Weights): Map<string, SourceTensor> => new Map([...own.keys()].map((key) => [key, { key }]));

/** Shapes, known at once, and weights of tensors that are stored under other names, in parts, or in another order. */
function atTheirPlaces(own: Weights, names: ReadonlyMap<string, SourceTensor>): Built {
  const places = [...names].flatMap(([name, place]) => {
    const weight = own.get(place.key);
    return weight ? [{ name, place, weight }] : [];
  });
  return {
    shapes: new Map(places.map(({ name, place, weight }) => [name, placedShape(weight.shape, place)])),
    weights: async () => {
      const found = new Map<string, Weight>();
      for (const { name, place, weight } of places) found.set(name, await placed(weight, place));
      return found;
    },
  };
}

/** Statistics of folded latents, which only FLUX.2's autoencoder has. */
const FOLDED = "bn.running_mean";

/** A norm over channels, which only Wan's autoencoder has. */
const WAN = "decoder.norm_out.gamma";

/** A convolution between levels, which only SANA's autoencoder has there. */
const DEEP = "decoder.up_blocks.0.0.conv.weight";
/** Its projections, which are 1×1 convolutions in the authors' file. */
const PROJECTION = /\.attn\.to_(q|k|v|out)\.weight$/;

/** SANA's autoencoder, with diffusers' names or its authors'. */
async function deepPart(index: WeightIndex, names: Of<"autoencoder">["names"], own: Weights): Promise<Component> {
  const { DC_NAMES, deepConfig } = await import("./autoencoder-dc-file.js");
  const found = atTheirPlaces(own, names === "diffusers" ? identity(own) : ownTensors(DC_NAMES, [...own.keys()]));
  const flat = <T extends { readonly shape: readonly number[] }>(name: string, of: T): T =>
    PROJECTION.test(name) ? { ...of, shape: of.shape.slice(0, 2) } : of;
  const shapes: Shapes = new Map([...found.shapes].map(([name, shape]) => [name, flat(name, { shape }).shape]));
  const config = { ...deepConfig(index.source, shapes), scaling_factor: FAMILIES.sana.latents.scale };
  return part(index, "vae", "AutoencoderDC", config, async () => {
    const weights = await found.weights();
    return new Map([...weights].map(([name, weight]) => [name, flat(name, weight)]));
  });
}

/** Attention matrices of an AutoencoderKL, by current and older names; some files store them as 1×1 convolutions. */
const ATTENTION = /\.attentions\.\d\.(to_(q|k|v|out\.0)|query|key|value|proj_attn)\.weight$/;

/**
 * Extracts the autoencoder from a file's tensors.
 * @param family family of the latents, where it is known
 */
export function autoencoderPart(
  index: WeightIndex,
  { names, prefix }: Pick<Of<"autoencoder">, "names" | "prefix">,
  family: Family | null,
): Component {
  const own = under(index.weights, prefix);
  const rename = names === "wan" ? wanVaeNames : vaeNames;
  const all = names === "diffusers" ? own : renamed(own, rename([...own.keys()]));
  if (all.has(WAN)) {
    return part(index, "vae", "AutoencoderKLQwenImage", wanConfig(index.source, shapesOf(all)), async () => all);
  }
  // The same values without the two kernel dimensions.
  const weights = new Map(
    [...all].map(([name, w]) => [
      name,
      ATTENTION.test(name) && w.shape.length === 4 ? { ...w, shape: w.shape.slice(0, 2) } : w,
    ]),
  );
  const { scale, shift, upcast = false } = family === null ? {} : FAMILIES[family].latents;
  const shapes = shapesOf(weights);
  const inferred = autoencoderConfig(index.source, shapes, scale, upcast);
  const config = shift === undefined ? inferred : { ...inferred, shift_factor: shift };
  if (!shapes.has(FOLDED)) return part(index, "vae", "AutoencoderKL", config, async () => weights);
  return part(index, "vae", "AutoencoderKLFlux2", foldedConfig(inferred, shapes), async () => weights);
}

/** Extracts a TAESD, or one half of it, from a file's tensors. */
export function tinyPart(
  index: WeightIndex,
  { names, half }: Pick<Of<"tiny autoencoder">, "names" | "half">,
): Component {
  const { weights } = index;
  const all =
    names === "taesd" && half !== "both" ? renamed(weights, tinyNames([...weights.keys()], half)) : new Map(weights);
  return part(index, "vae", "AutoencoderTiny", tinyAutoencoderConfig(index.source, shapesOf(all)), async () => all);
}

/** Hidden sizes of OpenCLIP's text encoders. */
const OPENCLIP_WIDTHS = [1024, 1280];

/**
 * Extracts a text encoder from a file's tensors, with transformers' or OpenCLIP's names.
 * @param family family of the UNet: Stable Diffusion 2.x uses the penultimate layer, so the last one is dropped
 */
export async function textEncoderPart(
  index: WeightIndex,
  name: string,
  { names, prefix }: Pick<Of<"text encoder">, "names" | "prefix">,
  family: Family | null,
): Promise<Component> {
  const stored = under(index.weights, prefix);
  const gguf = names === "llama.cpp";
  const own = gguf ? renamed(stored, (await transformerConfigs()).llamaNames([...stored.keys()])) : stored;
  if (own.has("encoder.final_layer_norm.weight")) {
    const { t5Config } = await transformerConfigs();
    return part(index, name, "T5EncoderModel", t5Config(index.source, shapesOf(own)), async () => own);
  }
  if (own.has("embed_tokens.weight")) {
    const { gemma2Config, isGemma2, isQwen3, languageModelConfig } = await transformerConfigs();
    const shapes = shapesOf(own);
    if (isGemma2(shapes)) {
      const config = { ...gemma2Config(index.source, shapes), add_unit_offset: !gguf };
      return part(index, name, "Gemma2Model", config, async () => own);
    }
    const className = isQwen3(shapes) ? "Qwen3Model" : "Qwen2_5_VLForConditionalGeneration";
    return part(index, name, className, languageModelConfig(index.source, shapes), async () => own);
  }
  const { unusedLayers = 0, projection = true } = family === null ? {} : FAMILIES[family].text;
  const built = names === "transformers" ? asTransformers(own) : asOpenClip(own, unusedLayers);
  const width = built.shapes.get("text_model.embeddings.token_embedding.weight")?.[1] ?? 0;
  const act = names === "openclip" || OPENCLIP_WIDTHS.includes(width) ? "gelu" : "quick_gelu";
  const config = clipConfig(index.source, built.shapes, act);
  const whole = width === 1024 && names === "transformers" && config["num_hidden_layers"] === 24;
  const projected = projection && built.shapes.has("text_projection.weight");
  return part(
    index,
    name,
    projected ? "CLIPTextModelWithProjection" : "CLIPTextModel",
    { ...config, ...(whole && { num_hidden_layers: 23 }) },
    built.weights,
  );
}

interface Built {
  readonly shapes: Shapes;
  readonly weights: () => Promise<Weights>;
}

function asTransformers(own: Weights): Built {
  const weights = new Map(
    [...own].map(([key, w]) => [/^text_(model|projection)\./.test(key) ? key : `text_model.${key}`, w]),
  );
  return { shapes: shapesOf(weights), weights: async () => weights };
}

/** @param drop number of final layers to omit */
function asOpenClip(own: Weights, drop: number): Built {
  const keys = [...own.keys()];
  const layers = new Set(keys.flatMap((k) => /^transformer\.resblocks\.(\d+)\./.exec(k)?.[1] ?? [])).size - drop;
  return atTheirPlaces(own, clipNames(keys, layers));
}

const placedShape = (shape: readonly number[], { share, transposed }: SourceTensor): readonly number[] => {
  const [rows = 0, ...rest] = shape;
  if (share) return [(rows / share[1]) * (share[2] ?? 1), ...rest];
  return transposed ? shape.toReversed() : shape;
};

/** Weight at its place in the network. Some of the rows are contiguous, so they stay a view; a matrix in another order is copied. */
async function placed(weight: Weight, place: SourceTensor): Promise<Weight> {
  const shape = placedShape(weight.shape, place);
  if (place.share) {
    const n = count(shape);
    const [index, of, parts = 1] = place.share;
    return {
      ...weight,
      name: `${weight.name}[${index}/${of}]`,
      shape,
      bytes: valuesFrom(weight, (index * n) / parts, n),
    };
  }
  if (place.swapped) return swapped(weight);
  if (!place.transposed) return weight;
  const [rows = 0, columns = 0] = weight.shape;
  const stored = await readBytes(weight);
  const size = BYTES[weight.dtype];
  const turned = new Uint8Array(stored.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const at = (r * columns + c) * size;
      turned.set(stored.subarray(at, at + size), (c * rows + r) * size);
    }
  }
  return { ...weight, shape, bytes: { in: "memory", source: weight.bytes.source, bytes: turned } };
}

/** The halves of the rows in the other order. @throws FileError for a quantised weight, whose blocks are unpacked later */
async function swapped(weight: Weight): Promise<Weight> {
  const stored = await readBytes(weight);
  const half = stored.length / 2;
  const turned = new Uint8Array(stored.length);
  turned.set(stored.subarray(half), 0);
  turned.set(stored.subarray(0, half), half);
  return { ...weight, bytes: { in: "memory", source: weight.bytes.source, bytes: turned } };
}

/** Scaling and shift factor of latents. */
export interface LatentScaling {
  readonly scale: number;
  readonly shift?: number;
}

/**
 * Reads an autoencoder, with any known naming, from its own file or a complete checkpoint.
 * @param scaling of the latents to decode; undefined: that of its family, where the file identifies one
 * @throws FileError describing any other content
 */
export async function readAutoencoder(source: ByteSource, scaling?: LatentScaling): Promise<Component> {
  const { index, recognised } = await readRecognised(source);
  const found = await autoencoderIn(index, recognised);
  if (!found) throw refusal(source.name, recognised, "an autoencoder was expected: AutoencoderKL or TAESD");
  // A TAESD takes unscaled latents.
  if (scaling === undefined || found.className === "AutoencoderTiny") return found;
  const { scale, shift } = scaling;
  return {
    ...found,
    config: { ...found.config, scaling_factor: scale, ...(shift !== undefined && { shift_factor: shift }) },
  };
}

async function autoencoderIn(index: WeightIndex, recognised: Recognised): Promise<Component | null> {
  if (recognised.kind === "autoencoder") return drawnAutoencoder(index, recognised, null);
  if (recognised.kind === "tiny autoencoder") return tinyPart(index, recognised);
  const isWhole = recognised.kind === "checkpoint" || recognised.kind === "unet";
  return isWhole ? autoencoderInside(index, recognised.family) : null;
}

async function drawnAutoencoder(
  index: WeightIndex,
  recognised: Pick<Of<"autoencoder">, "names" | "prefix">,
  family: Family | null,
): Promise<Component> {
  const own = under(index.weights, recognised.prefix);
  const isDeep = recognised.names === "efficientvit" || own.has(DEEP);
  return isDeep ? deepPart(index, recognised.names, own) : autoencoderPart(index, recognised, family);
}

/** Prefixes of the autoencoder in a whole checkpoint: of Stable Diffusion's, and of those that ComfyUI saves. */
const VAE_PREFIXES = ["first_stage_model.", "vae."] as const;

/** The autoencoder of a whole checkpoint; null for a file without one. */
export async function autoencoderInside(index: WeightIndex, family: Family): Promise<Component | null> {
  for (const prefix of VAE_PREFIXES) {
    const weights = under(index.weights, prefix);
    const recognised = weights.size > 0 ? recognise(shapesOf(weights)) : null;
    if (recognised?.kind === "autoencoder") return drawnAutoencoder({ ...index, weights }, recognised, family);
  }
  return null;
}

/** Reads a text encoder from its own file. @throws FileError describing any other content */
export async function readTextEncoder(source: ByteSource, name: string, family: Family): Promise<Component> {
  const { index, recognised } = await readRecognised(source);
  if (recognised.kind === "text encoder") {
    const found = await textEncoderPart(index, name, recognised, family);
    return { ...found, tokenizerInside: async () => (await import("./gguf-tokenizer.js")).readGgufTokenizer(source) };
  }
  throw refusal(source.name, recognised, `a text encoder of ${FAMILIES[family].title} was expected`);
}
