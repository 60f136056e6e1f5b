/** Part of this room that describes requests. Help and options load it without the code that runs models. */
import { z } from "zod";
import { requestFields } from "../generate/fields.js";
import { formsOf, grouped, option } from "../schema/index.js";

/** Layers that a LoRA changes, by the names of the Concept Sliders trainer. */
export const LAYER_CHOICES = ["noxattn", "xattn", "xattn-strict", "selfattn", "full"] as const;
/** Kinds of layers: attention alone (lierla), or the layers of residual blocks, down- and upsamplers too (c3lier). */
export const LORA_TYPES = ["lierla", "c3lier"] as const;

/** Weights of noise levels in the denoising loss, and for flow matching how levels are drawn. */
export const WEIGHTING_CHOICES = ["none", "min-snr", "debiased", "logit-normal", "mode", "cosmap"] as const;

const text = z.string().trim().min(1);
const above = z.number().positive();

/** Defaults of a run that help states. */
interface RunDefaults {
  readonly iterations: number;
  readonly batch?: number;
  /** Learning rate, and its course after the warm-up. */
  readonly learningRate: number | string;
  readonly course?: string;
}

/** Defaults of a LoRA's training. */
interface Defaults extends RunDefaults {
  readonly rank?: number;
  readonly alpha: string;
  readonly layers: (typeof LAYER_CHOICES)[number];
  readonly type: (typeof LORA_TYPES)[number];
}

/** A config of another trainer, whose options those of the command line replace. */
export const configFields = grouped("task", {
  config: option(text, {
    flag: "--config <file>",
    aliases: ["--config_file"],
    about:
      "options from a file: kohya's .toml, arguments of diffusers' scripts as .json or .yaml, the official slider trainer's .yaml; options of the command line go before",
  }),
} as const);

/** Model that is trained, for objectives of both. */
const modelField = {
  on: option(z.enum(["base", "distilled"]), {
    flag: "--on <model>",
    about: "model that is trained; the distilled one at the noise levels of its own steps (default: base)",
  }),
} as const;

/** How a run goes, whatever is trained. */
const runFields = (d: RunDefaults) =>
  ({
    batch: option(z.int().min(1), {
      flag: "--batch <n>",
      aliases: ["--train-batch-size"],
      about: `samples of an update (default: ${d.batch ?? 4})`,
    }),
    iterations: option(z.int().min(1), {
      flag: "--iterations <n>",
      aliases: ["--max-train-steps"],
      about: `number of updates (default: ${d.iterations})`,
    }),
    learningRate: option(above, {
      flag: "--learning-rate <n>",
      about: `largest learning rate of AdamW, after 10 updates of warm-up, ${d.course ?? "falling to 0 by a cosine"} (default: ${d.learningRate})`,
    }),
    recompute: option(z.boolean(), {
      flag: "--recompute",
      aliases: ["--gradient-checkpointing"],
      about: "compute values of blocks again for their gradients, instead of keeping them: less memory, more time",
    }),
    seed: option(z.int().min(0), { flag: "--seed <n>", about: "seed of all that is drawn (default: 0)" }),
    sampleEvery: option(z.int().min(0), {
      flag: "--sample-every <n>",
      about:
        "updates between two rows of samples with fixed seeds, in samples/; 0 for none (default: a fifth of the run)",
    }),
  }) as const;

/** A LoRA, and how it is trained. */
const trainingFields = (d: Defaults) =>
  ({
    ...runFields(d),
    rank: option(z.int().min(1).max(1024), { flag: "--rank <n>", about: `rank of the LoRA (default: ${d.rank ?? 4})` }),
    alpha: option(above, {
      flag: "--alpha <n>",
      about: `the change is alpha / rank times the matrices (default: ${d.alpha})`,
    }),
    layers: option(z.enum(LAYER_CHOICES), {
      flag: "--layers <choice>",
      about: `layers that are changed: noxattn (all but cross-attention, or the stream for text), xattn, xattn-strict, selfattn, full (default: ${d.layers})`,
    }),
    type: option(z.enum(LORA_TYPES), {
      flag: "--type <type>",
      about: `lierla: attention alone; c3lier: residual blocks too, in a transformer the feed-forward networks (default: ${d.type})`,
    }),
  }) as const;

/** Defaults of `train slider`. */
export const SLIDER_DEFAULTS = {
  iterations: 150,
  learningRate: 2e-3,
  alpha: "1",
  layers: "noxattn",
  type: "c3lier",
} as const satisfies Defaults;
/** Defaults of `train lora`. */
export const LORA_DEFAULTS = {
  iterations: 200,
  learningRate: 1e-3,
  customDiffusionRate: 3e-4,
  alpha: "the rank",
  layers: "full",
  type: "lierla",
} as const satisfies Defaults & { readonly customDiffusionRate: number };

/** Size of the images that are trained on. */
const sizeField = (about: string) =>
  option(requestFields.size.unwrap(), {
    ...formsOf(requestFields.size)[0],
    flag: "--size <WxH>",
    aliases: ["--resolution"],
    about,
  });

/** What a slider moves, and on which model. */
export const sliderFields = grouped("task", {
  concept: option(text, {
    flag: "--concept <prompt>",
    about: 'what the slider changes, such as "a cartoon character"',
  }),
  positive: option(text, { flag: "--positive <prompt>", about: "more of it at a positive scale" }),
  negative: option(text, { flag: "--negative <prompt>", about: "more of it at a negative scale" }),
  prompts: option(text, {
    flag: "--prompts <file>",
    about: "rows of prompts in the YAML of the official trainer, in place of these three",
  }),
  attributes: option(text, {
    flag: "--attributes <list>",
    about:
      'attributes that the slider leaves alone, such as "male, female": all prompts are trained with each before them',
  }),
  positiveImages: option(text, {
    flag: "--positive-images <dir>",
    about:
      "images at a positive scale, in place of prompts; those with the same names in --negative-images are their counterparts",
  }),
  negativeImages: option(text, { flag: "--negative-images <dir>", about: "their counterparts at a negative scale" }),
  parity: option(z.boolean(), {
    flag: "--parity",
    about: "the official trainer's arithmetic, schedule and defaults, with its quirks, on the base",
  }),
  strength: option(above, {
    flag: "--strength <n>",
    about: "η: how many times the difference of the two predictions a scale of 1 moves (default: 2, distilled 1)",
  }),
  size: sizeField("size of the images that it is trained at (default: the pair's)"),
  ...modelField,
  ...trainingFields(SLIDER_DEFAULTS),
} as const);

const tokenFields = (about: string) =>
  ({
    token: option(text, { flag: "--token <word>", aliases: ["--placeholder-token", "--modifier-token"], about }),
    initialize: option(text, {
      flag: "--initialize <word>",
      aliases: ["--initializer-token"],
      about: "word whose embedding it begins with, such as cat (default: object)",
    }),
    vectors: option(z.int().min(1).max(32), {
      flag: "--vectors <n>",
      aliases: ["--num-vectors"],
      about: "number of embeddings of the token (default: 1)",
    }),
  }) as const;

/** What a LoRA learns from images, and on which model. */
export const loraFields = grouped("task", {
  caption: option(text, {
    flag: "--caption <prompt>",
    aliases: ["--instance-prompt"],
    about: 'caption of every image, in place of their own, such as "a photo of sks cat"',
  }),
  size: sizeField("size that images are brought to: the area of the buckets (default: the pair's)"),
  crop: option(z.boolean(), {
    flag: "--crop",
    aliases: ["--center-crop"],
    about: "crop every image to --size, instead of to the bucket of its aspect ratio",
  }),
  flip: option(z.boolean(), {
    flag: "--flip",
    aliases: ["--random-flip"],
    about: "train on mirror images too; not for what has a left and a right, such as text",
  }),
  weighting: option(z.enum(WEIGHTING_CHOICES), {
    flag: "--weighting <name>",
    aliases: ["--weighting-scheme"],
    about:
      "weights of noise levels in the loss: debiased, min-snr, none; for flow matching how levels are drawn: logit-normal, mode, or evenly with the weights cosmap, none (default: debiased, with --snr-gamma min-snr; flow matching logit-normal)",
  }),
  snrGamma: option(above, { flag: "--snr-gamma <n>", about: "γ of the min-SNR weights (default: 5)" }),
  noiseOffset: option(z.number().min(0), {
    flag: "--noise-offset <n>",
    about: "noise that all pixels of a channel share, for darker and brighter images, such as 0.05 (default: 0)",
  }),
  customDiffusion: option(z.boolean(), {
    flag: "--custom-diffusion",
    about:
      "trains the keys and values of cross-attention themselves, in place of a LoRA (Custom Diffusion); best with --class-prompt",
  }),
  ...tokenFields('a new token for the subject, such as "<pip>", whose embeddings are trained together with it'),
  classPrompt: option(text, {
    flag: "--class-prompt <prompt>",
    about:
      'keeps what the model knows of the class, such as "a photo of a cat", by images that it makes itself (DreamBooth)',
  }),
  classImages: option(z.int().min(1), {
    flag: "--class-images <n>",
    aliases: ["--num-class-images"],
    about: "number of these images (default: 32)",
  }),
  priorWeight: option(z.number().min(0), {
    flag: "--prior-weight <n>",
    aliases: ["--prior-loss-weight"],
    about: "weight of their loss (default: 1)",
  }),
  samplePrompt: option(text, {
    flag: "--sample-prompt <prompt>",
    aliases: ["--validation-prompt"],
    about: "prompt of the samples on the way (default: the first caption)",
  }),
  ...modelField,
  ...trainingFields({ ...LORA_DEFAULTS, learningRate: "0.001, with --custom-diffusion 0.0003" }),
} as const);

/** What the first step of a model that keeps its diversity learns. */
export const FIRST_STEPS = ["base", "hybrid"] as const;

/** Ways to distil a model to few steps. */
export const DISTILL_METHODS = ["dmd2", "lcm"] as const;

/** Defaults of `train distill`. */
export const DISTILL_DEFAULTS = {
  iterations: 400,
  batch: 8,
  learningRate: "0.0005, whole weights 0.0001",
  course: "constant",
  rank: 16,
  alpha: "the rank",
  layers: "full",
  type: "c3lier",
} as const satisfies Defaults;

/** How the base is distilled to few steps. */
export const distillFields = grouped("task", {
  method: option(z.enum(DISTILL_METHODS), {
    flag: "--method <name>",
    about:
      "dmd2 (distribution matching) or lcm (latent consistency), for models that predict noise and for flow matching (default: dmd2)",
  }),
  keepDiversity: option(z.boolean(), {
    flag: "--keep-diversity",
    about:
      "dmd2: the first step learns the mean velocity of the base's own run instead (DP-DMD), for variety in a single model",
  }),
  firstStep: option(z.enum(FIRST_STEPS), {
    flag: "--first-step <target>",
    about:
      "what this first step learns: base (DP-DMD), or hybrid: the image of a hybrid run, one step by the base and the others by the student (default: base)",
  }),
  anchor: option(z.int().min(1).max(29), {
    flag: "--anchor <k>",
    about: "steps of 30 of the base's run that --keep-diversity takes (default: 5)",
  }),
  prompts: option(text, {
    flag: "--prompts <file>",
    about:
      "prompts to train on: a .csv with a column prompt, or a .txt (default: those of the pair's experiments, else its example prompts)",
  }),
  images: option(text, {
    flag: "--images <dir>",
    about: "lcm: images with captions, as for train lora (default: images that the base makes of the prompts)",
  }),
  made: option(z.int().min(1), {
    flag: "--made-images <n>",
    about: "lcm: number of images that the base makes (default: 256)",
  }),
  size: sizeField("size of the images that it is distilled at, and of the base's images (default: the pair's)"),
  steps: option(z.int().min(1).max(50), {
    flag: "--steps <n>",
    about: "steps of the result (default: those of the pair's own distilled model, else 4)",
  }),
  guidance: option(z.number().min(0), {
    flag: "--guidance <n>",
    aliases: ["--cfg"],
    about: "guidance scale of the base that is distilled into the result (default: the base's own)",
  }),
  whole: option(z.boolean(), {
    flag: "--whole-weights",
    about: "train all weights of the denoiser, and write it whole, instead of a LoRA",
  }),
  fakeUpdates: option(z.int().min(1), {
    flag: "--fake-updates <n>",
    about: "dmd2: updates of the fake score for one of the student (default: 5)",
  }),
  samplePrompt: option(text, {
    flag: "--sample-prompt <prompt>",
    aliases: ["--validation-prompt"],
    about: "prompt of the samples on the way (default: the first prompt)",
  }),
  ...trainingFields(DISTILL_DEFAULTS),
} as const);

/** Defaults of `train embedding`. */
export const WORD_DEFAULTS = { iterations: 200, learningRate: 5e-3 } as const satisfies RunDefaults;

const { size, crop, flip, weighting, snrGamma, noiseOffset } = loraFields;

/** A new token to be learned from images, and how. */
export const wordFields = grouped("task", {
  ...tokenFields('the new token, such as "<pip>" (default: the name of the folder in angle brackets)'),
  caption: option(text, {
    flag: "--caption <prompt>",
    about:
      "caption of every image, with the token in it (default: their own where they have it, else a photo of the token)",
  }),
  size,
  crop,
  flip,
  weighting,
  snrGamma,
  noiseOffset,
  samplePrompt: option(text, {
    flag: "--sample-prompt <prompt>",
    aliases: ["--validation-prompt"],
    about: "prompt of the samples on the way (default: the first caption)",
  }),
  ...modelField,
  ...runFields(WORD_DEFAULTS),
} as const);
