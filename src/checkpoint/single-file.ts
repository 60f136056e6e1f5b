/** Checkpoints in one file, as A1111 and ComfyUI use them: which architecture it is, told from names and shapes, and its parts by diffusers' names, every weight where it lies. */
import path from "node:path";
import { FileError } from "../errors.js";
import { clipNames, diffusersNames, type Level, type Place, unetOutline, vaeNames } from "../naming/index.js";
import { BYTES, count, valuesFrom, type Weight, type WeightIndex } from "../tensor/index.js";
import { clipTokenizer } from "./clip-vocabulary.js";
import type { Checkpoint, Component, ConfigSource } from "./folder.js";
import { openWeights, readBytes } from "./weights.js";

type Config = Readonly<Record<string, unknown>>;
type Weights = ReadonlyMap<string, Weight>;

const UNET = "model.diffusion_model.";
const VAE = "first_stage_model.";

/** Which family a whole checkpoint is of, by its text encoders. */
type Family = "sd1" | "sd2" | "sdxl";

interface FamilyFacts {
  readonly about: string;
  readonly pipeline: string;
  /** Heads of each attention, or features of each head. */
  readonly heads: number | null;
  readonly headFeatures: number | null;
  readonly sampleSize: number;
  readonly scaling: number;
  readonly scheduler: Config;
  readonly index: Config;
}

/** The noise schedule of all of them (scaled_linear, 1000 steps). */
const TRAINED = {
  num_train_timesteps: 1000,
  beta_start: 0.00085,
  beta_end: 0.012,
  beta_schedule: "scaled_linear",
  clip_sample: false,
  set_alpha_to_one: false,
  steps_offset: 1,
} as const;

/** What the original configs say, as diffusers' own folders of these models repeat it. */
const FAMILIES: { readonly [F in Family]: FamilyFacts } = {
  sd1: {
    about: "Stable Diffusion 1.x: its text encoder is CLIP ViT-L",
    pipeline: "StableDiffusionPipeline",
    heads: 8,
    headFeatures: null,
    sampleSize: 64,
    scaling: 0.18215,
    scheduler: { _class_name: "PNDMScheduler", skip_prk_steps: true, prediction_type: "epsilon", ...TRAINED },
    index: {},
  },
  sd2: {
    about: "Stable Diffusion 2.x: its text encoder is OpenCLIP ViT-H",
    pipeline: "StableDiffusionPipeline",
    heads: null,
    headFeatures: 64,
    sampleSize: 96,
    scaling: 0.18215,
    scheduler: { _class_name: "DDIMScheduler", prediction_type: "v_prediction", ...TRAINED },
    index: {},
  },
  sdxl: {
    about: "Stable Diffusion XL: its text encoders are CLIP ViT-L and OpenCLIP ViT-bigG",
    pipeline: "StableDiffusionXLPipeline",
    heads: null,
    headFeatures: 64,
    sampleSize: 128,
    scaling: 0.13025,
    scheduler: {
      _class_name: "EulerDiscreteScheduler",
      timestep_spacing: "leading",
      prediction_type: "epsilon",
      ...TRAINED,
    },
    index: { force_zeros_for_empty_prompt: true },
  },
};

/** Names that tell models which are not drawn here. */
const OTHERS: readonly (readonly [RegExp, string])[] = [
  [/joint_blocks\./, "Stable Diffusion 3"],
  [/double_blocks\.|single_blocks\./, "FLUX"],
  [/conditioner\.embedders\.0\.model\./, "the SDXL refiner"],
  [/control_model\./, "ControlNet"],
  [/down_1\.|effnet|clip_mapper/, "Stable Cascade"],
];

/** Whether tensors are named as Stability names a UNet's, with or without the prefix. */
export const isStability = (keys: Iterable<string>): boolean =>
  [...keys].some((k) => k === "input_blocks.0.0.weight" || k === `${UNET}input_blocks.0.0.weight`);

/** Opens a whole checkpoint in one file. @throws FileError saying what it is instead, or what is missing */
export async function openSingleFile(file: string): Promise<Checkpoint> {
  const all = await openWeights(file);
  const family = familyOf(file, [...all.weights.keys()]);
  const facts = FAMILIES[family];
  const unet = unetOf(file, all, facts);
  const components = new Map<string, Component>([["unet", unet]]);
  const tokenizers = new Map([["tokenizer", await clipTokenizer("<|endoftext|>")]]);
  const clip = (name: string, prefix: string) => clipInPlace(file, name, under(all.weights, prefix));
  if (family === "sd1") {
    components.set("text_encoder", clip("text_encoder", "cond_stage_model.transformer."));
  } else if (family === "sd2") {
    // The model was trained on the last layer but one: the last is left out, as in its diffusers folder.
    components.set("text_encoder", openClip(file, "text_encoder", under(all.weights, "cond_stage_model.model."), -1));
    tokenizers.set("tokenizer", await clipTokenizer("!"));
  } else {
    components.set("text_encoder", clip("text_encoder", "conditioner.embedders.0.transformer."));
    components.set(
      "text_encoder_2",
      openClip(file, "text_encoder_2", under(all.weights, "conditioner.embedders.1.model."), 0),
    );
    tokenizers.set("tokenizer_2", await clipTokenizer("!"));
  }
  components.set("vae", vaeOf(file, under(all.weights, VAE), facts, family === "sdxl"));
  const scheduler: ConfigSource = { file, config: schedulerOf(facts, all.weights) };
  const index = { _class_name: facts.pipeline, ...facts.index, recognised: facts.about };
  return { path: file, className: facts.pipeline, index, components, scheduler, tokenizers };
}

/** The UNet of a file whose tensors have Stability's names, whatever else is in it. `like` tells what shapes do not. */
export async function openStabilityUNet(file: string, like: Config): Promise<Component> {
  const all = await openWeights(file);
  const heads = like["attention_head_dim"];
  const sample = like["sample_size"];
  const unet = unetOf(file, all, FAMILIES.sdxl);
  const same = Array.isArray(heads) ? heads.length === levelsOf(unet) : typeof heads === "number";
  const config = {
    ...unet.config,
    ...(same && { attention_head_dim: heads }),
    ...(like["norm_num_groups"] !== undefined && { norm_num_groups: like["norm_num_groups"] }),
    sample_size: sample,
  };
  return { ...unet, config };
}

const levelsOf = ({ config }: Component): number => {
  const channels = config["block_out_channels"];
  return Array.isArray(channels) ? channels.length : 0;
};

function familyOf(file: string, keys: readonly string[]): Family {
  const has = (start: string) => keys.some((k) => k.startsWith(start));
  const other = OTHERS.find(([pattern]) => keys.some((k) => pattern.test(k)));
  if (other) throw new FileError(file, `is ${other[1]} by its names; Stable Diffusion 1.x, 2.x and XL are drawn here`);
  if (!has(UNET)) {
    const what = isStability(keys)
      ? "a UNet alone: give it as --distilled, with the pipeline it belongs to as --base"
      : `no checkpoint that is known: its tensors begin with ${[...new Set(keys.map((k) => k.split(".")[0]))].slice(0, 4).join(", ")}`;
    throw new FileError(file, `is ${what}`);
  }
  const found: Family | undefined = has("conditioner.embedders.1.model.")
    ? "sdxl"
    : has("cond_stage_model.model.")
      ? "sd2"
      : has("cond_stage_model.transformer.")
        ? "sd1"
        : undefined;
  if (!found)
    throw new FileError(file, "holds a UNet without text encoders: give it as --distilled, with a whole --base");
  if (!has(VAE))
    throw new FileError(file, `holds no autoencoder (${VAE}…): a whole checkpoint was expected as the base`);
  return found;
}

/** The tensors under a prefix, without it. */
const under = (weights: Weights, prefix: string): Map<string, Weight> =>
  new Map([...weights].flatMap(([key, w]) => (key.startsWith(prefix) ? [[key.slice(prefix.length), w] as const] : [])));

const renamed = (weights: Weights, names: ReadonlyMap<string, string>): Map<string, Weight> =>
  new Map(
    [...names].flatMap(([key, name]) => {
      const weight = weights.get(key);
      return weight ? [[name, weight] as const] : [];
    }),
  );

/** A component whose config was told from shapes. */
const part = (
  file: string,
  name: string,
  className: string,
  config: Config,
  weights: () => Promise<Weights>,
): Component => {
  let opened: Promise<WeightIndex> | undefined;
  return {
    name,
    className,
    folder: path.dirname(file),
    configFile: `${file} (${name})`,
    config: { _class_name: className, ...config },
    tokenizer: null,
    weights: () => {
      opened ??= weights().then((w) => ({ source: file, weights: w }));
      return opened;
    },
  };
};

const shapeOf = (file: string, weights: Weights, key: string): readonly number[] => {
  const weight = weights.get(key);
  if (!weight) throw new FileError(file, `${key} is missing`);
  return weight.shape;
};

function unetOf(file: string, all: WeightIndex, facts: FamilyFacts): Component {
  const own = under(all.weights, UNET);
  const weights = own.size > 0 ? own : all.weights;
  const keys = [...weights.keys()];
  const outline = unetOutline(keys);
  const dim = (key: string, i: number) => shapeOf(file, weights, key)[i] ?? 0;
  const channels = outline.down.map((level) => dim(`input_blocks.${level.layers[0]}.0.out_layers.3.weight`, 0));
  const depthsOf = (levels: readonly Level[]) => levels.map((l) => l.depths.map((d) => d ?? 0));
  const crosses = (level: Level) => level.depths.some((d) => d !== null);
  const context = keys.find((k) => k.endsWith(".attn2.to_k.weight"));
  const projection = keys.find((k) => k.endsWith(".proj_in.weight"));
  const heads = facts.heads ?? channels.map((c) => Math.max(1, Math.floor(c / (facts.headFeatures ?? c))));
  const label = weights.get("label_emb.0.0.weight");
  const guidance = weights.get("time_embed.cond_proj.weight");
  const config = {
    sample_size: facts.sampleSize,
    in_channels: dim("input_blocks.0.0.weight", 1),
    out_channels: dim("out.2.weight", 0),
    block_out_channels: channels,
    down_block_types: outline.down.map((l) => (crosses(l) ? "CrossAttnDownBlock2D" : "DownBlock2D")),
    up_block_types: outline.up.map((l) => (crosses(l) ? "CrossAttnUpBlock2D" : "UpBlock2D")),
    mid_block_type: outline.mid && (outline.mid.depth === null ? "UNetMidBlock2D" : "UNetMidBlock2DCrossAttn"),
    layers_per_block: outline.down.map((l) => l.layers.length),
    // The middle block takes the last of these, however deep its neighbours are.
    transformer_layers_per_block: withMiddle(file, depthsOf(outline.down), outline.mid?.depth ?? null),
    reverse_transformer_layers_per_block: depthsOf(outline.up),
    attention_head_dim: heads,
    cross_attention_dim: context === undefined ? 1280 : dim(context, 1),
    use_linear_projection: projection !== undefined && shapeOf(file, weights, projection).length === 2,
    time_cond_proj_dim: guidance?.shape[1] ?? null,
    ...(label && {
      addition_embed_type: "text_time",
      addition_time_embed_dim: SIZE_FEATURES,
      projection_class_embeddings_input_dim: label.shape[1],
    }),
  };
  return part(file, "unet", "UNet2DConditionModel", config, async () => renamed(weights, diffusersNames(keys)));
}

/** A config says the middle block's depth by the first of the last level's, which may have no transformers of its own. */
function withMiddle(file: string, depths: readonly (readonly number[])[], middle: number | null): number[][] {
  const last = depths.at(-1) ?? [];
  if (middle === null) return depths.map((own) => [...own]);
  if (last[0] && last[0] !== middle) {
    throw new FileError(
      file,
      `its middle block has ${middle} transformers, the level beside it ${last[0]}; no config of diffusers can say so`,
    );
  }
  return depths.map((own, i) => (i === depths.length - 1 ? own.map((d) => d || middle) : [...own]));
}

/** Features of each of SDXL's six numbers of size and crop. */
const SIZE_FEATURES = 256;

function vaeOf(file: string, weights: Weights, facts: FamilyFacts, upcast: boolean): Component {
  const keys = [...weights.keys()];
  const levels = [...new Set(keys.flatMap((k) => /^decoder\.up\.(\d+)\./.exec(k)?.[1] ?? []))]
    .map(Number)
    .sort((a, b) => a - b);
  const channels = levels.map((i) => shapeOf(file, weights, `decoder.up.${i}.block.0.conv2.weight`)[0] ?? 0);
  const layers = new Set(keys.flatMap((k) => /^decoder\.up\.0\.block\.(\d+)\./.exec(k)?.[1] ?? [])).size - 1;
  const config = {
    block_out_channels: channels,
    down_block_types: levels.map(() => "DownEncoderBlock2D"),
    up_block_types: levels.map(() => "UpDecoderBlock2D"),
    latent_channels: shapeOf(file, weights, "decoder.conv_in.weight")[1],
    layers_per_block: layers,
    scaling_factor: facts.scaling,
    force_upcast: upcast,
    use_quant_conv: keys.includes("quant_conv.weight"),
    use_post_quant_conv: keys.includes("post_quant_conv.weight"),
  };
  return part(file, "vae", "AutoencoderKL", config, async () => {
    const all = renamed(weights, vaeNames(keys));
    // The attention's products are stored as convolutions of one pixel: the same numbers with two dimensions less.
    return new Map(
      [...all].map(([name, w]) => [
        name,
        /\.to_(q|k|v|out\.0)\.weight$/.test(name) ? { ...w, shape: w.shape.slice(0, 2) } : w,
      ]),
    );
  });
}

/** transformers' own names, as SD 1.x and the first encoder of SDXL are stored. */
function clipInPlace(file: string, name: string, weights: Weights): Component {
  const own = new Map([...weights].map(([key, w]) => [key.startsWith("text_model.") ? key : `text_model.${key}`, w]));
  return part(file, name, "CLIPTextModel", { ...clipConfig(file, own), hidden_act: "quick_gelu" }, async () => own);
}

/** OpenCLIP's names; `drop` layers at the end are left out (0, −1 …). */
function openClip(file: string, name: string, weights: Weights, drop: number): Component {
  const keys = [...weights.keys()];
  const layers = new Set(keys.flatMap((k) => /^transformer\.resblocks\.(\d+)\./.exec(k)?.[1] ?? [])).size + drop;
  const places = clipNames(keys, layers);
  const shapes = new Map(
    [...places].flatMap(([n, place]) => {
      const weight = weights.get(place.key);
      return weight ? [[n, { ...weight, shape: placedShape(weight.shape, place) }] as const] : [];
    }),
  );
  const className = drop === 0 ? "CLIPTextModelWithProjection" : "CLIPTextModel";
  const config = { ...clipConfig(file, shapes), hidden_act: "gelu" };
  return part(file, name, className, config, async () => {
    const found = new Map<string, Weight>();
    for (const [n, place] of places) {
      const weight = weights.get(place.key);
      if (weight) found.set(n, await placed(weight, place));
    }
    return found;
  });
}

function clipConfig(file: string, weights: Weights): Config {
  const dim = (key: string, i: number) => shapeOf(file, weights, `text_model.${key}`)[i] ?? 0;
  const hidden = dim("embeddings.token_embedding.weight", 1);
  const layers = [...weights.keys()].flatMap((k) => /encoder\.layers\.(\d+)\.mlp\.fc1\.weight$/.exec(k)?.[1] ?? []);
  return {
    vocab_size: dim("embeddings.token_embedding.weight", 0),
    hidden_size: hidden,
    intermediate_size: dim("encoder.layers.0.mlp.fc1.weight", 0),
    num_hidden_layers: layers.length,
    // Every CLIP text encoder has heads of 64 features.
    num_attention_heads: Math.max(1, Math.floor(hidden / 64)),
    max_position_embeddings: dim("embeddings.position_embedding.weight", 0),
    projection_dim: weights.get("text_projection.weight")?.shape[0] ?? hidden,
    eos_token_id: 49407,
    bos_token_id: 49406,
    pad_token_id: 1,
  };
}

const placedShape = (shape: readonly number[], { third, turned }: Place): readonly number[] => {
  const [rows = 0, ...rest] = shape;
  if (third !== undefined) return [rows / 3, ...rest];
  return turned ? shape.toReversed() : shape;
};

/** A third of the rows lies in one piece, a view; turned, a copy of a small matrix. */
async function placed(weight: Weight, place: Place): Promise<Weight> {
  const shape = placedShape(weight.shape, place);
  if (place.third !== undefined) {
    const n = count(shape);
    return { ...weight, shape, bytes: valuesFrom(weight, place.third * n, n) };
  }
  if (!place.turned) return weight;
  const [rows = 0, columns = 0] = weight.shape;
  const source = await readBytes(weight);
  const size = BYTES[weight.dtype];
  const turned = new Uint8Array(source.length);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const at = (r * columns + c) * size;
      turned.set(source.subarray(at, at + size), (c * rows + r) * size);
    }
  }
  return { ...weight, shape, bytes: { in: "memory", file: weight.bytes.file, bytes: turned } };
}

/** Fine-tuners who train on v or with zero terminal SNR leave a tensor of that name in the file. */
function schedulerOf({ scheduler }: FamilyFacts, weights: Weights): Config {
  return {
    ...scheduler,
    ...(weights.has("v_pred") && { prediction_type: "v_prediction" }),
    ...(weights.has("ztsnr") && { rescale_betas_zero_snr: true }),
  };
}
