/** Checkpoints in one file, as A1111 and ComfyUI use them: all parts that are in it, and what their original configs said. */
import path from "node:path";
import { FileError } from "../errors.js";
import { FAMILY_NAMES, type Family } from "../families/index.js";
import type { Weight, WeightIndex } from "../tensor/index.js";
import { clipTokenizer } from "./clip-vocabulary.js";
import type { Checkpoint, Component, TokenizerFiles } from "./component.js";
import { type Config, FACTS } from "./configs.js";
import { autoencoderPart, openRecognised, refusal, textEncoderPart, unetPart } from "./parts.js";
import { readFloats } from "./weights.js";

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

interface FamilyFacts {
  readonly pipeline: string;
  readonly scheduler: Config;
  readonly index: Config;
  /** Its text encoders, in the order in which their features stand: where a whole checkpoint has them, and by whose names. */
  readonly encoders: readonly {
    readonly prefix: string;
    readonly names: "transformers" | "openclip";
    readonly padding: "<|endoftext|>" | "!";
  }[];
}

/** What the original configs say, as diffusers' own folders of these models repeat it. */
const FAMILIES: { readonly [F in Family]: FamilyFacts } = {
  sd1: {
    pipeline: "StableDiffusionPipeline",
    scheduler: { _class_name: "PNDMScheduler", skip_prk_steps: true, prediction_type: "epsilon", ...TRAINED },
    index: {},
    encoders: [{ prefix: "cond_stage_model.transformer.", names: "transformers", padding: "<|endoftext|>" }],
  },
  sd2: {
    pipeline: "StableDiffusionPipeline",
    scheduler: { _class_name: "DDIMScheduler", prediction_type: "v_prediction", ...TRAINED },
    index: {},
    encoders: [{ prefix: "cond_stage_model.model.", names: "openclip", padding: "!" }],
  },
  sdxl: {
    pipeline: "StableDiffusionXLPipeline",
    scheduler: {
      _class_name: "EulerDiscreteScheduler",
      timestep_spacing: "leading",
      prediction_type: "epsilon",
      ...TRAINED,
    },
    index: { force_zeros_for_empty_prompt: true },
    encoders: [
      { prefix: "conditioner.embedders.0.transformer.", names: "transformers", padding: "<|endoftext|>" },
      { prefix: "conditioner.embedders.1.model.", names: "openclip", padding: "!" },
    ],
  },
};

/** How a family was trained, where its files do not tell. */
export const schedulerFor = (family: Family): Config => FAMILIES[family].scheduler;

const VAE = "first_stage_model.";
const numbered = (stem: string, i: number): string => (i === 0 ? stem : `${stem}_${i + 1}`);

/**
 * Opens a checkpoint in one file, with the parts that are in it: all, or a UNet alone, whose text encoders and autoencoder come from
 * elsewhere. @throws FileError saying what it is instead
 */
export async function openSingleFile(file: string): Promise<Checkpoint> {
  const { index, recognised } = await openRecognised(file);
  if (recognised.kind !== "checkpoint" && recognised.kind !== "unet") {
    throw refusal(file, recognised, "a whole checkpoint or a UNet was expected");
  }
  const { family } = recognised;
  const facts = FAMILIES[family];
  const trained = await trainingOf(index, family);
  const unet = unetPart(
    index,
    recognised.kind === "unet" ? recognised : { family, names: "stability", prefix: "model.diffusion_model." },
  );
  const components = new Map<string, Component>([
    ["unet", { ...unet, config: { ...unet.config, sample_size: trained.sampleSize } }],
  ]);
  const tokenizers = new Map<string, TokenizerFiles>();
  for (const [i, encoder] of facts.encoders.entries()) {
    tokenizers.set(numbered("tokenizer", i), await clipTokenizer(encoder.padding));
    const name = numbered("text_encoder", i);
    if (recognised.kind === "checkpoint") components.set(name, textEncoderPart(index, name, encoder, family));
  }
  if (index.weights.has(`${VAE}decoder.conv_in.weight`)) {
    components.set("vae", autoencoderPart(index, { names: "stability", prefix: VAE }, family));
  }
  return {
    path: file,
    className: facts.pipeline,
    index: { _class_name: facts.pipeline, ...facts.index },
    recognised: { about: recognised.about, because: [recognised.because, ...trained.because] },
    notes: [...index.weights.keys()].some((k) => k.startsWith("model_ema."))
      ? ["it also holds averaged weights (model_ema); the model's own are used, as A1111 and ComfyUI do"]
      : [],
    components,
    scheduler: { file, config: { ...facts.scheduler, ...trained.scheduler } },
    tokenizers,
    family,
  };
}

interface Training {
  readonly scheduler: Config;
  readonly sampleSize: number;
  readonly because: readonly string[];
}

/** How a model was trained, as far as its tensors tell: fine-tuners who train on v or with zero terminal SNR leave a tensor of that name. */
async function trainingOf({ source, weights }: WeightIndex, family: Family): Promise<Training> {
  const marks = {
    ...(weights.has("v_pred") && { prediction_type: "v_prediction" }),
    ...(weights.has("ztsnr") && { rescale_betas_zero_snr: true }),
  };
  const because = ["v_pred", "ztsnr"].flatMap((mark) => (weights.has(mark) ? [`it has a tensor ${mark}`] : []));
  const { sampleSize } = FACTS[family];
  if (family !== "sd2") return { scheduler: marks, sampleSize, because };
  const told = await predictionOf(source, weights);
  return {
    scheduler: { prediction_type: told.v ? "v_prediction" : "epsilon", ...marks },
    sampleSize: told.v ? sampleSize : 64,
    because: [told.because, ...because],
  };
}

/** The norm before the last transformer, by either names. */
const LAST_NORM = /(output_blocks\.11\.1|up_blocks\.3\.attentions\.2)\.transformer_blocks\.0\.norm1\.bias$/;
/** Stability's v models spread this bias wider than their ε models do; ComfyUI tells them apart by the same bound. */
const SPREAD = 0.09;

/** Stable Diffusion 2.x comes as a 512-pixel model that predicts ε and a 768-pixel one that predicts v, with the same shapes. */
async function predictionOf(
  source: string,
  weights: ReadonlyMap<string, Weight>,
): Promise<{ readonly v: boolean; readonly because: string }> {
  const name = path.basename(source);
  const hint = /(^|\D)(512|768)(\D|$)/.exec(name)?.[2];
  if (hint)
    return { v: hint === "768", because: `its name says ${hint} pixels: it predicts ${hint === "768" ? "v" : "ε"}` };
  if (/turbo/i.test(name)) return { v: false, because: "its name says turbo: it predicts ε at 512 pixels" };
  const [key, norm] = [...weights].find(([k]) => LAST_NORM.test(k)) ?? [];
  const values = norm ? await readFloats(norm) : new Float32Array();
  const mean = values.reduce((n, x) => n + x, 0) / values.length;
  const spread = Math.sqrt(values.reduce((n, x) => n + (x - mean) ** 2, 0) / values.length);
  if (!norm)
    return { v: true, because: "it predicts v at 768 pixels, as most do; --prediction and --size say otherwise" };
  const v = spread > SPREAD;
  const kind = v ? "v at 768 pixels" : "ε at 512 pixels";
  return {
    v,
    because: `it predicts ${kind}, as the spread of ${key} tells (${spread.toFixed(3)}; above ${SPREAD} is v); --prediction and --size say otherwise`,
  };
}

/** The text encoders of a checkpoint taken from elsewhere, in the order of its family. @throws FileError when there are not as many */
export function withTextEncoders(checkpoint: Checkpoint, encoders: readonly Component[]): Checkpoint {
  const wanted = FAMILIES[checkpoint.family].encoders.length;
  if (encoders.length !== wanted) {
    throw new FileError(
      checkpoint.path,
      `is ${FAMILY_NAMES[checkpoint.family]}, which reads ${wanted} text encoder${wanted === 1 ? "" : "s"}; ${encoders.length} given`,
    );
  }
  const width = ({ config }: Component) => Number(config["hidden_size"] ?? 0);
  const components = new Map(checkpoint.components);
  // CLIP's own comes first, which is the narrower one.
  for (const [i, encoder] of encoders.toSorted((a, b) => width(a) - width(b)).entries()) {
    const name = numbered("text_encoder", i);
    components.set(name, { ...encoder, name });
  }
  return { ...checkpoint, components };
}
