/**
 * The supported scheduler classes as data: fields with the defaults of diffusers 0.42.1, timestep spacing, noise levels,
 * solver.
 */
import type { Given } from "./scheduler-fields.js";

/** One scheduler class, as data. */
export type SchedulerTraits = {
  /** Display name. */
  readonly name: string;
  /** Fields that the class reads, with its defaults. Other fields in a file are ignored, as in diffusers. */
  readonly reads: Given;
  /** Values of fields that the class does not read but implies. */
  readonly implies?: Given;
  /** Field values that other classes support and this one does not. */
  readonly refuses: Readonly<Record<string, readonly unknown[]>>;
} & (TableTraits | SigmaTraits | FlowTraits);

/** Noise levels are looked up by integer timestep. */
export interface TableTraits {
  readonly levels: "table";
  /** Timestep spacing: `whole` rounds to integers, `distilled` selects from the timesteps the model was distilled on. */
  readonly spacing: "whole" | "distilled";
  /** Timestep after a step: `stride` a fixed number below, `next` the next one and finally clean, `zero` the next one and finally timestep 0. */
  readonly target: "stride" | "next" | "zero";
  readonly solver: "ddim" | "ddpm" | "pndm" | "lcm" | "tcd";
}

/** Noise levels are Karras sigmas, interpolated between timesteps or spaced anew. */
export interface SigmaTraits {
  readonly levels: "sigmas";
  /** Timestep spacing: `float` keeps linspace fractional, `extra` computes one timestep more and drops the last (DPM-Solver). */
  readonly spacing: "float" | "extra";
  readonly solver: "euler" | "euler-ancestral" | "dpm++2m";
}

/** Noise levels are flow-matching sigmas; timesteps follow from them. */
export interface FlowTraits {
  readonly levels: "flow";
  readonly solver: "euler";
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
const FLOW = ["flow_prediction"];
const SPACED_ANEW = { use_exponential_sigmas: [true], use_beta_sigmas: [true] };

export const SCHEDULER_CLASSES = {
  DDIMScheduler: {
    name: "DDIM",
    reads: { ...BETAS, ...COMMON, ...RESCALE, ...CLIP, set_alpha_to_one: true },
    refuses: { beta_schedule: DDPM_ONLY, prediction_type: FLOW },
    spacing: "whole",
    target: "stride",
    levels: "table",
    solver: "ddim",
  },
  DDPMScheduler: {
    name: "DDPM",
    reads: { ...BETAS, ...COMMON, ...RESCALE, ...CLIP, variance_type: "fixed_small" },
    refuses: { prediction_type: FLOW },
    spacing: "whole",
    target: "next",
    levels: "table",
    solver: "ddpm",
  },
  PNDMScheduler: {
    name: "PNDM",
    reads: { ...BETAS, ...COMMON, skip_prk_steps: false, set_alpha_to_one: false },
    refuses: { beta_schedule: DDPM_ONLY, prediction_type: ["sample", ...FLOW] },
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
    refuses: { ...SPACED_ANEW, beta_schedule: DDPM_ONLY, prediction_type: FLOW },
    spacing: "float",
    levels: "sigmas",
    solver: "euler",
  },
  EulerAncestralDiscreteScheduler: {
    name: "Euler a",
    reads: { ...BETAS, ...COMMON, ...RESCALE, timestep_spacing: "linspace" },
    refuses: { beta_schedule: DDPM_ONLY, prediction_type: ["sample", "original_sample", ...FLOW] },
    spacing: "float",
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
    refuses: { ...SPACED_ANEW, beta_schedule: DDPM_ONLY, prediction_type: FLOW, use_dynamic_shifting: [true] },
    spacing: "extra",
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
    refuses: { beta_schedule: DDPM_ONLY, prediction_type: FLOW },
    spacing: "distilled",
    target: "next",
    levels: "table",
    solver: "lcm",
  },
  TCDScheduler: {
    name: "TCD",
    // TCD's file has clip_sample and thresholding too, but its step reads neither.
    reads: { ...LATENT_BETAS, ...COMMON, ...RESCALE, original_inference_steps: 50 },
    refuses: { beta_schedule: DDPM_ONLY, prediction_type: FLOW },
    spacing: "distilled",
    target: "zero",
    levels: "table",
    solver: "tcd",
  },
  FlowMatchEulerDiscreteScheduler: {
    name: "FlowMatchEuler",
    reads: {
      num_train_timesteps: 1000,
      shift: 1,
      use_dynamic_shifting: false,
      base_shift: 0.5,
      max_shift: 1.15,
      base_image_seq_len: 256,
      max_image_seq_len: 4096,
      time_shift_type: "exponential",
      shift_terminal: null,
      invert_sigmas: false,
      use_karras_sigmas: false,
      use_exponential_sigmas: false,
      use_beta_sigmas: false,
      stochastic_sampling: false,
    },
    implies: { prediction_type: "flow_prediction" },
    refuses: {},
    levels: "flow",
    solver: "euler",
  },
} as const satisfies Readonly<Record<string, SchedulerTraits>>;

/** A class name, as in scheduler_config.json and `--scheduler`. */
export type SchedulerClass = keyof typeof SCHEDULER_CLASSES;

/** Names of the supported scheduler classes. */
export const SCHEDULERS: readonly SchedulerClass[] = Object.keys(SCHEDULER_CLASSES).filter(isScheduler);

/** True for the name of a supported class. */
export function isScheduler(name: string): name is SchedulerClass {
  return Object.hasOwn(SCHEDULER_CLASSES, name);
}
