/** Part of this room that describes requests. Help and options load it without the code that runs models. */
import { z } from "zod";
import { grouped, option, required } from "../schema/index.js";

/** Layers that a LoRA changes, by the names of the Concept Sliders trainer. */
export const LAYER_CHOICES = ["noxattn", "xattn", "xattn-strict", "selfattn", "full"] as const;
/** Kinds of layers: attention alone (lierla), or the layers of residual blocks, down- and upsamplers too (c3lier). */
export const LORA_TYPES = ["lierla", "c3lier"] as const;

const text = z.string().trim().min(1);
const above = z.number().positive();

/** What a slider moves, and on which model. */
export const sliderFields = grouped("task", {
  concept: required(text, {
    flag: "--concept <prompt>",
    about: 'what the slider changes, such as "a cartoon character"',
  }),
  positive: required(text, { flag: "--positive <prompt>", about: "more of it at a positive scale" }),
  negative: required(text, { flag: "--negative <prompt>", about: "more of it at a negative scale" }),
  strength: option(above, {
    flag: "--strength <n>",
    about: "η: how many times the difference of the two predictions a scale of 1 moves (default: 2, distilled 1)",
  }),
  on: option(z.enum(["base", "distilled"]), {
    flag: "--on <model>",
    about: "model that is trained, at the noise levels of its own steps (default: base)",
  }),
  batch: option(z.int().min(1), {
    flag: "--batch <n>",
    about: "samples of an update (default: 4)",
  }),
  iterations: option(z.int().min(1), { flag: "--iterations <n>", about: "number of updates (default: 150)" }),
  learningRate: option(above, {
    flag: "--learning-rate <n>",
    about: "largest learning rate of AdamW, after 10 updates of warm-up, falling to 0 by a cosine (default: 0.002)",
  }),
  rank: option(z.int().min(1).max(1024), { flag: "--rank <n>", about: "rank of the LoRA (default: 4)" }),
  alpha: option(above, { flag: "--alpha <n>", about: "the change is alpha / rank times the matrices (default: 1)" }),
  layers: option(z.enum(LAYER_CHOICES), {
    flag: "--layers <choice>",
    about:
      "layers that are changed: noxattn (all but cross-attention), xattn, xattn-strict, selfattn, full (default: noxattn)",
  }),
  type: option(z.enum(LORA_TYPES), {
    flag: "--type <type>",
    about: "lierla: attention alone; c3lier: residual blocks too (default: c3lier)",
  }),
  seed: option(z.int().min(0), { flag: "--seed <n>", about: "seed of all that is drawn (default: 0)" }),
} as const);
