/** Single-file checkpoints, as A1111 and ComfyUI use them: all components in the file, with the settings of their original configs. */
import { FileError } from "../errors.js";
import { FAMILIES, type Family, type TextEncoderFacts } from "../families/index.js";
import { type ByteSource, counted, type Weight, type WeightIndex } from "../tensor/index.js";
import type { ClipPadding } from "./clip-vocabulary.js";
import type { Checkpoint, Component, TokenizerFiles } from "./component.js";
import type { Config } from "./configs.js";
import { autoencoderInside, readRecognised, refusal, textEncoderPart, unetPart } from "./parts.js";
import { readFloats } from "./weights.js";

/**
 * Reads a single-file checkpoint: all components, or a UNet alone, whose text encoders and autoencoder come from
 * elsewhere.
 * @param clipTokenizer provides CLIP's tokenizer, which such files do not contain
 * @throws FileError describing any other content
 */
export async function readSingleFile(
  source: ByteSource,
  clipTokenizer: (padding: ClipPadding) => Promise<TokenizerFiles>,
): Promise<Checkpoint> {
  const file = source.name;
  const { index, recognised } = await readRecognised(source);
  if (recognised.kind !== "checkpoint" && recognised.kind !== "unet") {
    throw refusal(file, recognised, "a whole checkpoint or a UNet was expected");
  }
  const { family } = recognised;
  const facts = FAMILIES[family];
  const trained = await trainingOf(index, family);
  const unet = await unetPart(
    index,
    recognised.kind === "unet" ? recognised : { family, names: "stability", prefix: "model.diffusion_model." },
  );
  const components = new Map<string, Component>([
    ["unet", { ...unet, config: { ...unet.config, sample_size: trained.sampleSize } }],
  ]);
  const tokenizers = new Map<string, TokenizerFiles>();
  const isInside = (prefix: string) => [...index.weights.keys()].some((key) => key.startsWith(prefix));
  for (const { kind, component: name, tokenizer, padding, singleFile } of facts.textEncoders) {
    if (kind === "clip" && padding !== "<pad>") tokenizers.set(tokenizer, await clipTokenizer(padding));
    if (recognised.kind === "checkpoint" || (recognised.prefix !== "" && isInside(singleFile.prefix))) {
      components.set(name, await textEncoderPart(index, name, singleFile, family));
    }
  }
  const vae = await autoencoderInside(index, family);
  if (vae) components.set("vae", vae);
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

/** Training settings inferred from tensors: fine-tunes with v prediction or zero terminal SNR contain a marker tensor, v_pred or ztsnr. */
async function trainingOf({ source, weights }: WeightIndex, family: Family): Promise<Training> {
  const marks = {
    ...(weights.has("v_pred") && { prediction_type: "v_prediction" }),
    ...(weights.has("ztsnr") && { rescale_betas_zero_snr: true }),
  };
  const because = ["v_pred", "ztsnr"].flatMap((mark) => (weights.has(mark) ? [`it has a tensor ${mark}`] : []));
  const { latents, ambiguousPrediction } = FAMILIES[family];
  const sampleSize = latents.side;
  if (!ambiguousPrediction) return { scheduler: marks, sampleSize, because };
  const told = await predictionOf(source, weights);
  return {
    scheduler: { prediction_type: told.v ? "v_prediction" : "epsilon", ...marks },
    sampleSize: told.v ? sampleSize : 64,
    because: [told.because, ...because],
  };
}

/** Bias of the norm in the last transformer, by Stability's and diffusers' names. */
const LAST_NORM = /(output_blocks\.11\.1|up_blocks\.3\.attentions\.2)\.transformer_blocks\.0\.norm1\.bias$/;
/** Threshold for the standard deviation of this bias: larger in Stability's v models than in their ε models. ComfyUI uses the same value. */
const SPREAD = 0.09;

/** Prediction type of a Stable Diffusion 2.x model: ε at 512 pixels, v at 768 pixels, with equal shapes. */
async function predictionOf(
  source: string,
  weights: ReadonlyMap<string, Weight>,
): Promise<{ readonly v: boolean; readonly because: string }> {
  const name = source.replace(/^.*[/\\]/, "");
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

/** The kind of a text encoder, by its class in transformers. */
const kindOf = ({ className }: Component): TextEncoderFacts["kind"] =>
  className === "T5EncoderModel"
    ? "t5"
    : className.startsWith("CLIP")
      ? "clip"
      : className.startsWith("Gemma")
        ? "gemma"
        : "language model";

/**
 * The checkpoint with text encoders from other files, in the order of its family. In a family with several kinds the checkpoint's own stay
 * where none of a kind is given. @throws FileError when their number differs
 */
export function withTextEncoders(checkpoint: Checkpoint, encoders: readonly Component[]): Checkpoint {
  const facts = FAMILIES[checkpoint.family];
  const kinds = [...new Set(facts.textEncoders.map(({ kind }) => kind))];
  const width = ({ config }: Component) => Number(config["hidden_size"] ?? 0);
  const components = new Map(checkpoint.components);
  const used = kinds.flatMap((kind) => {
    const wanted = facts.textEncoders.filter((e) => e.kind === kind);
    // The narrower encoder, OpenAI's, comes first.
    const given = encoders
      .filter((e) => kinds.length === 1 || kindOf(e) === kind)
      .toSorted((a, b) => width(a) - width(b));
    if (given.length !== wanted.length && (given.length > 0 || kinds.length === 1)) return [];
    for (const [i, encoder] of given.entries()) {
      const name = wanted[i]?.component ?? "";
      components.set(name, { ...encoder, name });
    }
    return given;
  });
  if (used.length === encoders.length && encoders.length > 0) return { ...checkpoint, components };
  const names = kinds.length > 1 ? `: ${facts.textEncoders.map(({ about }) => about).join(" and ")}` : "";
  throw new FileError(
    checkpoint.path,
    `is ${facts.title}, which reads ${counted(facts.textEncoders.length, "text encoder")}${names}; ${encoders.length} given`,
  );
}
