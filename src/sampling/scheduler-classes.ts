/**
 * The supported scheduler classes as data: fields with the defaults of diffusers 0.42.1, timestep spacing, noise levels,
 * solver.
 */
import { fields, type Given } from "./scheduler-fields.js";

/** One scheduler class, as data. */
export type SchedulerTraits = {
  /** Display name. */
  readonly name: string;
  /** Fields that the class reads, with its defaults. Other fields in a file are ignored, as in diffusers. */
  readonly reads: Given;
  /** Values of fields that the class does not read but implies. */
  readonly implies?: Given;
  /** Field values that the class maps to others, so that a config of a related class can be read. */
  readonly aliases?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Field values that other classes support and this one does not. */
  readonly refuses: Readonly<Record<string, readonly unknown[]>>;
} & (TableTraits | SigmaTraits | FlowTraits | EdmTraits);

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
  /**
   * Timestep spacing. `float` keeps linspace fractional (schedulers whose latents are x / α in diffusers); `extra` computes one
   * timestep more and drops the last (DPM-Solver and its kin).
   */
  readonly spacing: "float" | "extra";
  /** Karras sigmas round their timesteps: always, or not with cosine betas. Default: never. */
  readonly roundsKarras?: "always" | "not-cosine";
  /** Karras sigmas ignore sigma_min and sigma_max. */
  readonly ignoresBounds?: true;
  /** With final_sigmas_type sigma_min, sigmas spaced anew end at their last value again instead of the least training sigma. */
  readonly repeatsLast?: true;
  readonly solver: SigmaSolver;
}

type SigmaSolver =
  | "euler"
  | "euler-ancestral"
  | "heun"
  | "dpm2"
  | "dpm2-ancestral"
  | "dpm++"
  | "dpm++singlestep"
  | "dpm++sde"
  | "deis"
  | "lms"
  | "unipc";

/** Noise levels are sigmas of the EDM formulation, independent of training timesteps; the network's timestep is log(σ) / 4. */
export interface EdmTraits {
  readonly levels: "edm";
  readonly solver: "euler" | "dpm++";
}

/** Noise levels are flow-matching sigmas; timesteps follow from them. Angles are those of SANA-Sprint: tan of one is σ / (1 − σ). */
export interface FlowTraits {
  readonly levels: "flow";
  readonly grid: "shifted" | "angles";
  readonly solver: "euler" | "scm";
}

const BETAS = fields("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas");
const COMMON = { ...BETAS, ...fields("prediction_type", "timestep_spacing", "steps_offset") };
const RESCALE = fields("rescale_betas_zero_snr");
const CLIP = { ...fields("clip_sample_range", "thresholding"), clip_sample: true };
const RESPACE = fields("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "sigma_min", "sigma_max");
const FINAL = fields("final_sigmas_type");
const LATENT = { beta_start: 0.00085, beta_end: 0.012 };
const LINSPACE = { timestep_spacing: "linspace" };
/** Common fields of k-diffusion's samplers, as diffusers has them. */
const K_DIFFUSION = { ...COMMON, ...RESPACE, ...LATENT, ...LINSPACE };
/** Common fields of DPM-Solver and its kin. */
const DPM = {
  ...COMMON,
  ...RESPACE,
  ...LINSPACE,
  ...fields(
    "solver_order",
    "thresholding",
    "solver_type",
    "lower_order_final",
    "use_flow_sigmas",
    "use_dynamic_shifting",
  ),
};
const EDM = fields(
  "sigma_min",
  "sigma_max",
  "sigma_data",
  "sigma_schedule",
  "rho",
  "prediction_type",
  "final_sigmas_type",
);
const EDM_RANGE = { sigma_min: 0.002, sigma_max: 80 };

const NOT_BETAS = ["sigmoid", "laplace", "exp"];
const NOT_PREDICTIONS = ["flow_prediction", "edm", "edm_v"];
const REFUSES = { beta_schedule: NOT_BETAS, prediction_type: NOT_PREDICTIONS };
const NO_SAMPLE = { ...REFUSES, prediction_type: ["sample", "original_sample", ...NOT_PREDICTIONS] };
const REFUSES_DPM = { ...REFUSES, use_dynamic_shifting: [true], use_flow_sigmas: [true] };
const MIDPOINT = { logrho: "midpoint", bh1: "midpoint", bh2: "midpoint" };
const DPM_ALIASES = { algorithm_type: { deis: "dpmsolver++" }, solver_type: MIDPOINT };

export const SCHEDULER_CLASSES = {
  DDIMScheduler: {
    name: "DDIM",
    reads: { ...COMMON, ...RESCALE, ...CLIP, ...fields("set_alpha_to_one") },
    refuses: REFUSES,
    spacing: "whole",
    target: "stride",
    levels: "table",
    solver: "ddim",
  },
  DDPMScheduler: {
    name: "DDPM",
    reads: { ...COMMON, ...RESCALE, ...CLIP, variance_type: "fixed_small" },
    refuses: { ...REFUSES, beta_schedule: ["exp"] },
    spacing: "whole",
    target: "next",
    levels: "table",
    solver: "ddpm",
  },
  PNDMScheduler: {
    name: "PNDM",
    reads: { ...COMMON, skip_prk_steps: false, set_alpha_to_one: false },
    refuses: NO_SAMPLE,
    spacing: "whole",
    target: "stride",
    levels: "table",
    solver: "pndm",
  },
  EulerDiscreteScheduler: {
    name: "Euler",
    reads: {
      ...COMMON,
      ...RESCALE,
      ...RESPACE,
      ...FINAL,
      ...LINSPACE,
      ...fields("interpolation_type", "timestep_type"),
    },
    refuses: REFUSES,
    spacing: "float",
    levels: "sigmas",
    solver: "euler",
  },
  EulerAncestralDiscreteScheduler: {
    name: "Euler a",
    reads: { ...COMMON, ...RESCALE, ...LINSPACE },
    refuses: NO_SAMPLE,
    spacing: "float",
    levels: "sigmas",
    solver: "euler-ancestral",
  },
  HeunDiscreteScheduler: {
    name: "Heun",
    reads: { ...K_DIFFUSION, ...fields("clip_sample", "clip_sample_range") },
    refuses: { ...REFUSES, beta_schedule: ["sigmoid", "laplace"] },
    spacing: "float",
    levels: "sigmas",
    solver: "heun",
  },
  KDPM2DiscreteScheduler: {
    name: "DPM2",
    reads: K_DIFFUSION,
    refuses: NO_SAMPLE,
    spacing: "float",
    roundsKarras: "always",
    levels: "sigmas",
    solver: "dpm2",
  },
  KDPM2AncestralDiscreteScheduler: {
    name: "DPM2 a",
    reads: K_DIFFUSION,
    refuses: NO_SAMPLE,
    spacing: "float",
    roundsKarras: "always",
    levels: "sigmas",
    solver: "dpm2-ancestral",
  },
  DPMSolverSDEScheduler: {
    name: "DPM++ SDE",
    reads: { ...K_DIFFUSION, ...fields("noise_sampler_seed") },
    refuses: NO_SAMPLE,
    spacing: "float",
    ignoresBounds: true,
    levels: "sigmas",
    solver: "dpm++sde",
  },
  LMSDiscreteScheduler: {
    name: "LMS",
    reads: { ...COMMON, ...RESPACE, ...LINSPACE },
    refuses: REFUSES,
    spacing: "float",
    ignoresBounds: true,
    levels: "sigmas",
    solver: "lms",
  },
  DPMSolverMultistepScheduler: {
    name: "DPM++ 2M",
    reads: {
      ...DPM,
      ...RESCALE,
      ...FINAL,
      ...fields("use_lu_lambdas", "algorithm_type", "euler_at_final", "lambda_min_clipped", "variance_type"),
      ...fields("flow_shift"),
    },
    // With use_flow_sigmas it is for flow matching, else for diffusion.
    refuses: { ...REFUSES, use_dynamic_shifting: [true], prediction_type: ["edm", "edm_v"] },
    aliases: DPM_ALIASES,
    spacing: "extra",
    roundsKarras: "not-cosine",
    levels: "sigmas",
    solver: "dpm++",
  },
  DPMSolverSinglestepScheduler: {
    name: "DPM++ 2S",
    // Its file may have timestep_spacing and steps_offset, but the class always spaces its timesteps evenly.
    reads: {
      ...BETAS,
      ...RESPACE,
      ...FINAL,
      ...fields("prediction_type", "solver_order", "thresholding", "solver_type", "use_flow_sigmas"),
      ...fields("use_dynamic_shifting", "algorithm_type", "lambda_min_clipped", "variance_type"),
      lower_order_final: false,
    },
    implies: LINSPACE,
    refuses: { ...REFUSES_DPM, algorithm_type: ["sde-dpmsolver"] },
    aliases: DPM_ALIASES,
    spacing: "extra",
    roundsKarras: "always",
    levels: "sigmas",
    solver: "dpm++singlestep",
  },
  DEISMultistepScheduler: {
    name: "DEIS",
    reads: { ...DPM, solver_type: "logrho" },
    // Its algorithm_type is always deis.
    implies: { final_sigmas_type: "sigma_min" },
    refuses: REFUSES_DPM,
    aliases: { solver_type: { midpoint: "logrho", heun: "logrho", bh1: "logrho", bh2: "logrho" } },
    spacing: "extra",
    roundsKarras: "always",
    repeatsLast: true,
    levels: "sigmas",
    solver: "deis",
  },
  UniPCMultistepScheduler: {
    name: "UniPC",
    reads: {
      ...DPM,
      ...RESCALE,
      ...FINAL,
      ...fields("predict_x0", "disable_corrector", "solver_p"),
      solver_type: "bh2",
    },
    refuses: REFUSES_DPM,
    aliases: { solver_type: { midpoint: "bh2", heun: "bh2", logrho: "bh2" } },
    spacing: "extra",
    roundsKarras: "always",
    repeatsLast: true,
    levels: "sigmas",
    solver: "unipc",
  },
  LCMScheduler: {
    name: "LCM",
    reads: {
      ...COMMON,
      ...RESCALE,
      ...CLIP,
      ...LATENT,
      ...fields("original_inference_steps", "timestep_scaling"),
      beta_schedule: "scaled_linear",
      clip_sample: false,
    },
    refuses: REFUSES,
    spacing: "distilled",
    target: "next",
    levels: "table",
    solver: "lcm",
  },
  TCDScheduler: {
    name: "TCD",
    // TCD's file has clip_sample and thresholding too, but its step reads neither.
    reads: {
      ...COMMON,
      ...RESCALE,
      ...LATENT,
      ...fields("original_inference_steps"),
      beta_schedule: "scaled_linear",
    },
    refuses: REFUSES,
    spacing: "distilled",
    target: "zero",
    levels: "table",
    solver: "tcd",
  },
  EDMEulerScheduler: {
    name: "EDM Euler",
    reads: { ...EDM, ...EDM_RANGE },
    refuses: { prediction_type: ["sample", "flow_prediction"] },
    aliases: { prediction_type: { epsilon: "edm", v_prediction: "edm_v" } },
    levels: "edm",
    solver: "euler",
  },
  EDMDPMSolverMultistepScheduler: {
    name: "EDM DPM++ 2M",
    reads: {
      ...EDM,
      ...EDM_RANGE,
      ...fields("solver_order", "thresholding", "algorithm_type", "solver_type", "lower_order_final", "euler_at_final"),
    },
    refuses: {
      prediction_type: ["sample", "flow_prediction"],
      algorithm_type: ["dpmsolver", "sde-dpmsolver"],
    },
    aliases: { ...DPM_ALIASES, prediction_type: { epsilon: "edm", v_prediction: "edm_v" } },
    levels: "edm",
    solver: "dpm++",
  },
  FlowMatchEulerDiscreteScheduler: {
    name: "FlowMatchEuler",
    reads: {
      ...fields("num_train_timesteps", "shift", "use_dynamic_shifting", "base_shift", "max_shift"),
      ...fields("base_image_seq_len", "max_image_seq_len", "time_shift_type", "shift_terminal", "invert_sigmas"),
      ...fields("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "stochastic_sampling"),
    },
    implies: { prediction_type: "flow_prediction" },
    refuses: {},
    levels: "flow",
    grid: "shifted",
    solver: "euler",
  },
  SCMScheduler: {
    name: "SCM",
    // The standard deviation of the data cancels: latents are divided by it before the network, and after it.
    reads: fields("num_train_timesteps"),
    implies: { prediction_type: "flow_prediction" },
    refuses: {},
    levels: "flow",
    grid: "angles",
    solver: "scm",
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

/** Kind of model that a class is for, unless its config says otherwise: each has levels of its own, and none runs another's network. */
export const modelKindOf = (className: SchedulerClass): "diffusion" | "flow-matching" | "EDM" => {
  const { levels } = SCHEDULER_CLASSES[className];
  return levels === "flow" ? "flow-matching" : levels === "edm" ? "EDM" : "diffusion";
};
