/**
 * Scheduler configs: parsing scheduler_config.json, and the supported scheduler classes as data (fields with the defaults
 * of diffusers 0.42.1, timestep spacing, noise levels, solver).
 */
import { z } from "zod";
import { FileError, RequestError, UnsupportedConfigError } from "../errors.js";

const choice = <const T extends string>(values: readonly T[]) => z.enum(values, { error: values.join(", ") });
const number = z.number({ error: "a number" });
const nullableNumber = number.nullable();
/** Python's None counts as False wherever diffusers asks for a truth value. */
const flag = z.union([z.boolean(), z.null()], { error: "true, false" }).transform((value) => value === true);
const onlyFalse = z.union([z.literal(false), z.null()], { error: "false" }).transform((): false => false);
/** Values that diffusers maps to others, so that a config of a related class can be read. */
const alias = <const T extends string>(values: readonly T[], aliases: Readonly<Record<string, T>>) =>
  z.preprocess((value) => (typeof value === "string" ? (aliases[value] ?? value) : value), choice(values));

/** Union of the fields that scheduler classes read. */
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
  // Python writes minus infinity as a bare -Infinity, which JSON readers represent in different ways.
  lambda_min_clipped: z
    .union([number, z.literal([-Infinity, "-Infinity", null])], { error: "a number, -Infinity" })
    .transform((value) => (typeof value === "number" ? value : -Infinity)),
  original_inference_steps: z
    .int({ error: "a whole number, at least 1" })
    .min(1, { error: "a whole number, at least 1" }),
  timestep_scaling: number,
});

/** All fields with values; fields that the class does not read have a neutral value. */
export type SchedulerSettings = Readonly<z.output<typeof FIELDS>>;

/** Prediction type: the meaning of the network's output. */
export type Prediction = SchedulerSettings["prediction_type"];

/** Fields of a file or of a class's defaults, before validation. */
type Given = Readonly<Record<string, unknown>>;

/** One scheduler class, as data. */
export interface SchedulerTraits {
  /** Display name. */
  readonly name: string;
  /** Fields that the class reads, with its defaults. Other fields in a file are ignored, as in diffusers. */
  readonly reads: Given;
  /** Field values that other classes support and this one does not. */
  readonly refuses?: Readonly<Record<string, readonly unknown[]>>;
  /**
   * Timestep spacing: `whole` rounds to integers, `float` keeps linspace fractional, `extra` computes one timestep more and
   * drops the last (DPM-Solver), `distilled` selects from the timesteps the model was distilled on.
   */
  readonly spacing: "whole" | "float" | "extra" | "distilled";
  /** Timestep after a step: `stride` a fixed number below, `next` the next one and finally clean, `zero` the next one and finally timestep 0. */
  readonly target: "stride" | "next" | "zero";
  /** Noise levels: `table` looks ᾱ up by integer timestep, `sigmas` interpolates Karras sigmas or spaces them anew. */
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

export const SCHEDULER_CLASSES = {
  DDIMScheduler: {
    name: "DDIM",
    reads: { ...BETAS, ...COMMON, ...RESCALE, ...CLIP, set_alpha_to_one: true },
    refuses: { beta_schedule: DDPM_ONLY },
    spacing: "whole",
    target: "stride",
    levels: "table",
    solver: "ddim",
  },
  DDPMScheduler: {
    name: "DDPM",
    reads: { ...BETAS, ...COMMON, ...RESCALE, ...CLIP, variance_type: "fixed_small" },
    spacing: "whole",
    target: "next",
    levels: "table",
    solver: "ddpm",
  },
  PNDMScheduler: {
    name: "PNDM",
    reads: { ...BETAS, ...COMMON, skip_prk_steps: false, set_alpha_to_one: false },
    refuses: { beta_schedule: DDPM_ONLY, prediction_type: ["sample"] },
    spacing: "whole",
    target: "stride",
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
    target: "next",
    levels: "sigmas",
    solver: "euler",
  },
  EulerAncestralDiscreteScheduler: {
    name: "Euler a",
    reads: { ...BETAS, ...COMMON, ...RESCALE, timestep_spacing: "linspace" },
    refuses: { beta_schedule: DDPM_ONLY, prediction_type: ["sample", "original_sample"] },
    spacing: "float",
    target: "next",
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
    target: "next",
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
    target: "next",
    levels: "table",
    solver: "lcm",
  },
  TCDScheduler: {
    name: "TCD",
    // TCD's file has clip_sample and thresholding too, but its step reads neither.
    reads: { ...LATENT_BETAS, ...COMMON, ...RESCALE, original_inference_steps: 50 },
    refuses: { beta_schedule: DDPM_ONLY },
    spacing: "distilled",
    target: "zero",
    levels: "table",
    solver: "tcd",
  },
} as const satisfies Readonly<Record<string, SchedulerTraits>>;

/** A class name, as in scheduler_config.json and `--scheduler`. */
export type SchedulerClass = keyof typeof SCHEDULER_CLASSES;

/** Names of the supported scheduler classes. */
export const SCHEDULERS: readonly SchedulerClass[] = Object.keys(SCHEDULER_CLASSES).filter(isScheduler);

/** A validated scheduler config. Keeps the fields of the file, because another class reads them differently. */
export interface SchedulerConfig {
  readonly className: SchedulerClass;
  /** File name for error messages. */
  readonly file: string;
  /** Fields of the file, unvalidated. */
  readonly given: Given;
  readonly settings: SchedulerSettings;
}

/** The traits of a config's class. */
export const traitsOf = (config: SchedulerConfig): SchedulerTraits => SCHEDULER_CLASSES[config.className];

/** True for the name of a supported class. */
export function isScheduler(name: string): name is SchedulerClass {
  return Object.hasOwn(SCHEDULER_CLASSES, name);
}

const FILE = z.looseObject({
  _class_name: z.string().optional(),
  _use_default_values: z.array(z.string()).optional(),
});

/**
 * Validates a parsed scheduler_config.json.
 * @throws FileError when it is not an object
 * @throws UnsupportedConfigError naming the class, or the field with an unsupported value
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
  // diffusers lists here the fields that had their default value.
  const defaults = new Set(parsed.data._use_default_values);
  const given = Object.entries(parsed.data).filter(([key]) => !key.startsWith("_") && !defaults.has(key));
  return configOf(className, file, Object.fromEntries(given));
}

/**
 * diffusers' `X.from_config(config, **fields)`: fields that the file lacks take the new class's defaults, not the old
 * one's. With an unchanged class it only sets `fields` (such as timestep_spacing, prediction_type).
 * @throws RequestError when the class is unknown
 * @throws UnsupportedConfigError when the new class reads a field with an unsupported value
 */
export function switchScheduler(config: SchedulerConfig, className: string, fields: Given = {}): SchedulerConfig {
  if (!isScheduler(className)) {
    throw new RequestError(`the scheduler ${className} is not known; supported: ${SCHEDULERS.join(", ")}`);
  }
  return configOf(className, config.file, { ...config.given, ...fields });
}

/**
 * Changes that StableDiffusionPipeline (SD 1.x and 2.x, not SDXL) makes to its scheduler config: steps_offset becomes 1,
 * clip_sample false. A later `switchScheduler` reverts them where the file lacks the field, as diffusers does.
 */
export function amendForStableDiffusion(config: SchedulerConfig): SchedulerConfig {
  const amendments = { steps_offset: 1, clip_sample: false };
  const amended = configOf(config.className, config.file, { ...config.given, ...amendments });
  const stillGiven = Object.entries(amended.given).filter(([key]) => key in config.given);
  return { ...amended, given: Object.fromEntries(stillGiven) };
}

/** Neutral values of fields that a class does not read. */
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
  const traits: SchedulerTraits = SCHEDULER_CLASSES[className];
  const read = Object.fromEntries(
    Object.entries(traits.reads).map(([key, value]) => [key, key in given ? given[key] : value]),
  );
  for (const [key, values] of Object.entries(traits.refuses ?? {})) {
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
