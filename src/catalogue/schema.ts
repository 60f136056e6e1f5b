/** Schema of a pair row: the form of a pair file, and the type of the built-in rows. */
import { z } from "zod";
import { FAMILY_NAMES } from "../families/index.js";
import { HANDOFFS, modelFields } from "../sampling/index.js";
import type { ReadonlyData } from "../schema/index.js";

/** Sampling options of one model of a pair, unless the request sets them. @param guidance scale where none is given */
const samplingSchema = (guidance: number) =>
  z.strictObject({
    ...modelFields,
    guidance: modelFields.guidance.unwrap().default(guidance),
    /** Scale of a distilled model that is a LoRA, where its author uses another than 1. */
    loraScale: z.number().positive().exactOptional(),
  });

const pixels = z.int().min(8).max(16384);

export const pairRowSchema = z.strictObject({
  name: z.string().regex(/^[\w.-]+$/, "expected letters, digits, dots and dashes"),
  about: z.string().default(""),
  /** "sd" is an earlier name of "sd1". */
  family: z
    .enum(["sd", ...FAMILY_NAMES])
    .transform((name) => (name === "sd" ? "sd1" : name))
    .default("sdxl"),
  /** Reference as `--base` takes it. `embedded:` is the folder that ships with the package. */
  base: z.string().min(1),
  /** Reference as `--distilled` takes it. */
  distilled: z.string().min(1),
  /** Reference of the CLIPModel that measures this pair's images. */
  clip: z.string().nullable().default(null),
  /** Reference of the attribute classifier, where the true attributes of an image are known. */
  judge: z.string().nullable().default(null),
  /**
   * Names by which the distilled model is recognised, for a file or folder that is opened without a pair: each is a list of words that the
   * name has, in any order. "4step" is one word, and so is "dmd2"; case does not matter.
   */
  names: z.array(z.string().regex(/[a-z0-9]/i, "expected at least one word")).default([]),
  /** SHA-256 of the distilled model's file, in hexadecimal digits. */
  sha256: z.array(z.string().regex(/^[0-9a-f]{64}$/, "expected 64 hexadecimal digits")).default([]),
  /** Scheduler config of the base, where it is known: a plan then needs no file. */
  scheduler: z.record(z.string(), z.unknown()).nullable().default(null),
  /** Scheduler config of the distilled model, where it differs from the base's. */
  distilledScheduler: z.record(z.string(), z.unknown()).exactOptional(),
  /** Width of the distilled model's guidance embedding, where guidance is an input of the network. */
  guidanceFeatures: z.int().positive().nullable().default(null),
  /** Parameters of one UNet or transformer, where they are known: the memory needs are then known before a download. */
  parameters: z.number().positive().nullable().default(null),
  /** Parameters of the text encoders, where they differ from the family's. */
  textParameters: z.number().positive().exactOptional(),
  /** The distilled model is a LoRA on the base; by default where its reference says so. */
  lora: z.boolean().exactOptional(),
  /** The repository asks to accept its licence: a download needs a token. */
  gated: z.boolean().exactOptional(),
  sampling: z
    .strictObject({ base: samplingSchema(5).prefault({}), distilled: samplingSchema(0).prefault({}) })
    .prefault({}),
  /** Number of initial steps run by the base in a hybrid, where it is known which is best. */
  switch: z.int().min(0).exactOptional(),
  /** Step of the base in a hybrid on the distilled schedule, where it is known which is better. */
  handoff: z.enum(HANDOFFS).exactOptional(),
  /** Default image size in pixels; null: the size in the checkpoint's config. */
  size: z.strictObject({ width: pixels, height: pixels }).nullable().default(null),
  licence: z.string().default("not stated"),
  /** URL or file that states these facts. */
  source: z.string().default(""),
  /** Example prompts. */
  prompts: z.array(z.string()).default([]),
  /** How the distilled model was made, as far as a reader of its measures should know: printed below them. */
  note: z.string().default(""),
  /** How the example prompts were chosen: printed beside `note` where one of them ran. */
  promptNote: z.string().default(""),
});

export type SamplingDefaults = ReadonlyData<z.output<ReturnType<typeof samplingSchema>>>;

export type PairRow = ReadonlyData<z.output<typeof pairRowSchema>> & {
  /** npm package that the pair's models are in; null where they are elsewhere. Not a part of pair files. */
  readonly package: string | null;
  /** Defaults of experiments; null where there are none. Not a part of a user's pair files. */
  readonly trial: Trial | null;
};

/** Whether the distilled model of a row is a LoRA on the base. */
export const isLoraRow = ({ lora, distilled }: Pick<PairRow, "lora" | "distilled">): boolean =>
  lora ?? /lora/i.test(distilled);

/** Prompts, real images and adapters to run experiments with. */
export interface Trial {
  /** A .csv file of prompts with their seeds. */
  readonly prompts: string;
  /** Features of real images for those prompts. */
  readonly reference: string;
  readonly controls: readonly Control[];
  /** Prompts that the controls apply to, such as people for a slider of skin tone; default: those of the file. */
  readonly controlPrompts?: readonly string[];
  readonly reasons: readonly Reason[];
}

/** Why a claim of the paper does not hold on a pair. */
export interface Reason {
  /** Experiment and rows of the claim; `than` is null for a claim about one row. */
  readonly experiment: string;
  readonly row: string;
  readonly than: string | null;
  /** Measures that it explains; default: all. */
  readonly measures?: readonly string[];
  /** What causes it: the world of the pair's images, its models, or the wording of the claim. */
  readonly of: "world" | "model" | "claim";
  readonly because: string;
}

/** A slider or LoRA, with its concept. */
export interface Control {
  readonly name: string;
  readonly ref: string;
  readonly scale: number;
  /** Prompt of the concept, for CLIP scores. */
  readonly concept: string;
  /** Attribute of the classifier, a number or one with values ("background=teal|navy"), where it has one for the concept. */
  readonly reads?: string;
  /** Change of the CLIP score in percent that the paper reports, on the base and on DMD2. */
  readonly paper?: { readonly base: number; readonly distilled: number };
}
