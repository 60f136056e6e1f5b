/**
 * What a scheduler_config.json says, and what each scheduler class reads of it. A class is a row: the fields it reads
 * with their defaults (those of diffusers 0.42.1), how it spaces its timesteps, where a step goes, which solver takes it.
 */
import { z } from "zod";
import { FileError, RequestError, UnsupportedConfigError } from "../errors.js";

const choice = <const T extends string>(values: readonly T[]) => z.enum(values, { error: values.join(", ") });
const number = z.number({ error: "a number" });
const nullableNumber = number.nullable();
/** Python's None counts as False wherever diffusers asks for a truth value. */
const flag = z.union([z.boolean(), z.null()], { error: "true, false" }).transform((value) => value === true);
const onlyFalse = z.union([z.literal(false), z.null()], { error: "false" }).transform((): false => false);
/** A value that stands for another: diffusers reads configs of sister classes that way. */
const alias = <const T extends string>(values: readonly T[], aliases: Readonly<Record<string, T>>) =>
  z.preprocess((value) => (typeof value === "string" ? (aliases[value] ?? value) : value), choice(values));

/** Every field that some scheduler reads. */
const FIELDS = z.object({
  num_train_timesteps: z.int({ error: "a whole number, at least 1" }).min(1, { error: "a whole number, at least 1" }),
  beta_start: number,
  beta_end: number,
  beta_schedule: choice(["linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid", "laplace"]),
  trained_betas: z.array(number, { error: "a list of numbers, null" }).nullable(),
  rescale_betas_zero_snr: flag,
  prediction_type: alias(["epsilon", "v_prediction", "sample"], { original_sample: "sample" }),
  timestep_spacing: choice(["leading", "trailing", "linspace"]),
  steps_offset: z.int({ error: "a whole number" }),
  set_alpha_to_one: flag,
  clip_sample: flag,
  clip_sample_range: number,
  thresholding: onlyFalse,
  skip_prk_steps: z.literal(true, { error: "true (the Runge-Kutta steps of PNDM are not implemented)" }),
  variance_type: z
    .literal(["fixed_small", "fixed_small_log", "fixed_large", null], {
      error: "fixed_small, fixed_small_log, fixed_large",
    })
    .transform((value) => (value === "fixed_large" ? "fixed_large" : "fixed_small")),
  interpolation_type: choice(["linear", "log_linear"]),
  timestep_type: choice(["discrete"]),
  use_karras_sigmas: flag,
  use_exponential_sigmas: onlyFalse,
  use_beta_sigmas: onlyFalse,
  use_lu_lambdas: onlyFalse,
  use_flow_sigmas: onlyFalse,
  use_dynamic_shifting: onlyFalse,
  sigma_min: nullableNumber,
  sigma_max: nullableNumber,
  final_sigmas_type: choice(["zero", "sigma_min"]),
  solver_order: z.literal([1, 2], { error: "1, 2" }),
  algorithm_type: alias(["dpmsolver++"], { deis: "dpmsolver++" }),
  solver_type: alias(["midpoint", "heun"], { logrho: "midpoint", bh1: "midpoint", bh2: "midpoint" }),
  lower_order_final: flag,
  euler_at_final: flag,
  // Python writes its default, minus infinity, as a bare -Infinity, which JSON readers hand over in different ways.
  lambda_min_clipped: z
    .union([number, z.literal([-Infinity, "-Infinity", null])], { error: "a number, -Infinity" })
    .transform((value) => (typeof value === "number" ? value : -Infinity)),
  original_inference_steps: z
    .int({ error: "a whole number, at least 1" })
    .min(1, { error: "a whole number, at least 1" }),
  timestep_scaling: number,
});

/** Every field with a value; those that the class does not read stand at what makes no difference. */
export type SchedulerSettings = Readonly<z.output<typeof FIELDS>>;

/** What the network's output means. */
export type Prediction = SchedulerSettings["prediction_type"];

/** Fields as a file or a class's defaults give them, before they are read. */
type Given = Readonly<Record<string, unknown>>;

/** One scheduler class, as data. */
export interface SchedulerFamily {
  /** Name for people. */
  readonly name: string;
  /** Fields that the class reads, with the class's own defaults. Everything else in a file is ignored, as diffusers does. */
  readonly reads: Given;
  /** Values that other classes support and this one does not. */
  readonly refuses?: Readonly<Record<string, readonly unknown[]>>;
  /**
   * How timesteps are laid out: `whole` rounds them to whole numbers, `float` lets linspace stay between them,
   * `extra` lays out one more and drops the last (DPM-Solver), `distilled` takes them from the grid the model was distilled on.
   */
  readonly spacing: "whole" | "float" | "extra" | "distilled";
  /** Where a step goes: `stride` a fixed number of timesteps down, `next` to the next timestep and then clean, `zero` to the next and then to timestep 0. */
  readonly lands: "stride" | "next" | "zero";
  /** Whether levels lie on a ladder of sigmas (interpolated, Karras) or are looked up by whole timestep. */
  readonly levels: "table" | "sigmas";
  readonly solver: "ddim" | "ddpm" | "pndm" | "euler" | "euler-ancestral" | "dpm++2m" | "lcm" | "tcd";
}

const BETAS = {
  num_train_timesteps: 1000,
  beta_start: 0.0001,
  beta_end: 0.02,
  beta_schedule: "linear",
  trained_betas: null,
};
const LATENT_BETAS = { ...BETAS, beta_start: 0.00085, beta_end: 0.012, beta_schedule: "scaled_linear" };
const COMMON = { prediction_type: "epsilon", timestep_spacing: "leading", steps_offset: 0 };
const RESCALE = { rescale_betas_zero_snr: false };
const CLIP = { clip_sample: true, clip_sample_range: 1, thresholding: false };
const SIGMAS = {
  use_karras_sigmas: false,
  use_exponential_sigmas: false,
  use_beta_sigmas: false,
  sigma_min: null,
  sigma_max: null,
  final_sigmas_type: "zero",
};
const DDPM_ONLY = ["sigmoid", "laplace"];

export const FAMILIES = {
  DDIMScheduler: {
    name: "DDIM",
    reads: { ...BETAS, ...COMMON, ...RESCALE, ...CLIP, set_alpha_to_one: true },
    refuses: { beta_schedule: DDPM_ONLY },
    spacing: "whole",
    lands: "stride",
    levels: "table",
    solver: "ddim",
  },
  DDPMScheduler: {
    name: "DDPM",
    reads: { ...BETAS, ...COMMON, ...RESCALE, ...CLIP, variance_type: "fixed_small" },
    spacing: "whole",
    lands: "next",
    levels: "table",
    solver: "ddpm",
  },
  PNDMScheduler: {
    name: "PNDM",
    reads: { ...BETAS, ...COMMON, skip_prk_steps: false, set_alpha_to_one: false },
    refuses: { beta_schedule: DDPM_ONLY, prediction_type: ["sample"] },
    spacing: "whole",
    lands: "stride",
    levels: "table",
    solver: "pndm",
  },
  EulerDiscreteScheduler: {
    name: "Euler",
    reads: {
      ...BETAS,
      ...COMMON,
      ...RESCALE,
      ...SIGMAS,
      timestep_spacing: "linspace",
      interpolation_type: "linear",
      timestep_type: "discrete",
    },
    refuses: { beta_schedule: DDPM_ONLY },
    spacing: "float",
    lands: "next",
    levels: "sigmas",
    solver: "euler",
  },
  EulerAncestralDiscreteScheduler: {
    name: "Euler a",
    reads: { ...BETAS, ...COMMON, ...RESCALE, timestep_spacing: "linspace" },
    refuses: { beta_schedule: DDPM_ONLY, prediction_type: ["sample", "original_sample"] },
    spacing: "float",
    lands: "next",
    levels: "sigmas",
    solver: "euler-ancestral",
  },
  DPMSolverMultistepScheduler: {
    name: "DPM++ 2M",
    reads: {
      ...BETAS,
      ...COMMON,
      ...RESCALE,
      ...SIGMAS,
      timestep_spacing: "linspace",
      thresholding: false,
      use_lu_lambdas: false,
      use_flow_sigmas: false,
      use_dynamic_shifting: false,
      solver_order: 2,
      algorithm_type: "dpmsolver++",
      solver_type: "midpoint",
      lower_order_final: true,
      euler_at_final: false,
      lambda_min_clipped: -Infinity,
      variance_type: null,
    },
    refuses: { beta_schedule: DDPM_ONLY },
    spacing: "extra",
    lands: "next",
    levels: "sigmas",
    solver: "dpm++2m",
  },
  LCMScheduler: {
    name: "LCM",
    reads: {
      ...LATENT_BETAS,
      ...COMMON,
      ...RESCALE,
      ...CLIP,
      clip_sample: false,
      original_inference_steps: 50,
      timestep_scaling: 10,
    },
    refuses: { beta_schedule: DDPM_ONLY },
    spacing: "distilled",
    lands: "next",
    levels: "table",
    solver: "lcm",
  },
  TCDScheduler: {
    name: "TCD",
    // TCD's file has clip_sample and thresholding too, but its step reads neither.
    reads: { ...LATENT_BETAS, ...COMMON, ...RESCALE, original_inference_steps: 50 },
    refuses: { beta_schedule: DDPM_ONLY },
    spacing: "distilled",
    lands: "zero",
    levels: "table",
    solver: "tcd",
  },
} as const satisfies Readonly<Record<string, SchedulerFamily>>;

/** A class name as scheduler_config.json and `--scheduler` give it. */
export type SchedulerClass = keyof typeof FAMILIES;

/** The class names that are supported. */
export const SCHEDULERS: readonly SchedulerClass[] = Object.keys(FAMILIES).filter(isScheduler);

/** A scheduler config that has been read. It remembers what the file had, because another class reads that differently. */
export interface SchedulerConfig {
  readonly className: SchedulerClass;
  /** Named in messages. */
  readonly file: string;
  /** The fields that the file had, as they stood there. */
  readonly given: Given;
  readonly settings: SchedulerSettings;
}

/** The row of a class. */
export const familyOf = (config: SchedulerConfig): SchedulerFamily => FAMILIES[config.className];

/** Whether a class name is one of those supported. */
export function isScheduler(name: string): name is SchedulerClass {
  return Object.hasOwn(FAMILIES, name);
}

const FILE = z.looseObject({
  _class_name: z.string().optional(),
  _use_default_values: z.array(z.string()).optional(),
});

/**
 * Reads a scheduler_config.json that JSON.parse has been over.
 * @throws FileError when it is no object
 * @throws UnsupportedConfigError naming the class, or the field that asks for something unsupported
 */
export function parseScheduler(json: unknown, file: string): SchedulerConfig {
  const parsed = FILE.safeParse(json);
  if (!parsed.success)
    throw new FileError(file, "this is not a scheduler config; expected a JSON object with _class_name");
  const className = parsed.data._class_name;
  if (className === undefined) throw new FileError(file, "_class_name is missing; it names the scheduler");
  if (!isScheduler(className)) {
    throw new UnsupportedConfigError({ file, key: "_class_name", actual: className, supported: SCHEDULERS.join(", ") });
  }
  // diffusers marks in this list what was a default and not in the file.
  const defaults = new Set(parsed.data._use_default_values);
  const given = Object.entries(parsed.data).filter(([key]) => !key.startsWith("_") && !defaults.has(key));
  return configOf(className, file, Object.fromEntries(given));
}

/**
 * What diffusers' `X.from_config(config, **fields)` gives: fields that the file lacked take the new class's defaults, not
 * the old one's. With the class it already has it only sets `fields` (such as timestep_spacing, prediction_type).
 * @throws RequestError when the class is unknown
 * @throws UnsupportedConfigError when the new class reads a field that asks for something unsupported
 */
export function switchScheduler(config: SchedulerConfig, className: string, fields: Given = {}): SchedulerConfig {
  if (!isScheduler(className)) {
    throw new RequestError(`the scheduler ${className} is not known; supported: ${SCHEDULERS.join(", ")}`);
  }
  return configOf(className, config.file, { ...config.given, ...fields });
}

/**
 * What StableDiffusionPipeline (SD 1.x and 2.x, not SDXL) does to the scheduler it is made with: an offset other than 1
 * becomes 1, and clipping is switched off. A later `switchScheduler` forgets it again where the file lacked the field,
 * as diffusers does.
 */
export function amendForStableDiffusion(config: SchedulerConfig): SchedulerConfig {
  const amendments = { steps_offset: 1, clip_sample: false };
  const amended = configOf(config.className, config.file, { ...config.given, ...amendments });
  const stillGiven = Object.entries(amended.given).filter(([key]) => key in config.given);
  return { ...amended, given: Object.fromEntries(stillGiven) };
}

/** What fields stand at that a class does not read. */
const UNREAD: Given = {
  ...BETAS,
  ...COMMON,
  ...RESCALE,
  ...SIGMAS,
  set_alpha_to_one: true,
  clip_sample: false,
  clip_sample_range: 1,
  thresholding: false,
  skip_prk_steps: true,
  variance_type: null,
  interpolation_type: "linear",
  timestep_type: "discrete",
  use_lu_lambdas: false,
  use_flow_sigmas: false,
  use_dynamic_shifting: false,
  solver_order: 1,
  algorithm_type: "dpmsolver++",
  solver_type: "midpoint",
  lower_order_final: true,
  euler_at_final: false,
  lambda_min_clipped: -Infinity,
  original_inference_steps: 50,
  timestep_scaling: 10,
};

function configOf(className: SchedulerClass, file: string, given: Given): SchedulerConfig {
  const family: SchedulerFamily = FAMILIES[className];
  const read = Object.fromEntries(
    Object.entries(family.reads).map(([key, value]) => [key, key in given ? given[key] : value]),
  );
  for (const [key, values] of Object.entries(family.refuses ?? {})) {
    if (values.includes(read[key])) {
      throw new UnsupportedConfigError({ file, key, actual: read[key], supported: `another value with ${className}` });
    }
  }
  const result = FIELDS.safeParse({ ...UNREAD, ...read });
  if (result.success) return { className, file, given, settings: result.data };
  const issue = result.error.issues[0];
  const key = String(issue?.path[0] ?? "config");
  throw new UnsupportedConfigError({ file, key, actual: read[key], supported: issue?.message ?? "another value" });
}
