/** Fields of scheduler_config.json: their types, and their defaults. */
import { z } from "zod";

const choice = <const T extends string>(values: readonly T[]) => z.enum(values, { error: values.join(", ") });
const number = z.number({ error: "a number" });
const nullableNumber = number.nullable();
const positive = z.number({ error: "a number above 0" }).positive({ error: "a number above 0" });
/** Python's None counts as False wherever diffusers asks for a truth value. */
const flag = z.union([z.boolean(), z.null()], { error: "true, false" }).transform((value) => value === true);
const onlyFalse = z.union([z.literal(false), z.null()], { error: "false" }).transform((): false => false);

/** Union of the fields that scheduler classes read. */
export const FIELDS = z.object({
  num_train_timesteps: z.int({ error: "an integer, at least 1" }).min(1, { error: "an integer, at least 1" }),
  beta_start: number,
  beta_end: number,
  beta_schedule: choice(["linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid", "laplace", "exp"]),
  trained_betas: z.array(number, { error: "a list of numbers, null" }).nullable(),
  rescale_betas_zero_snr: flag,
  prediction_type: choice(["epsilon", "v_prediction", "sample", "flow_prediction", "edm", "edm_v"]),
  timestep_spacing: choice(["leading", "trailing", "linspace"]),
  steps_offset: z.int({ error: "an integer" }),
  set_alpha_to_one: flag,
  clip_sample: flag,
  clip_sample_range: number,
  thresholding: onlyFalse,
  skip_prk_steps: z.literal(true, { error: "true (PNDM without its Runge-Kutta steps, as Stable Diffusion has it)" }),
  variance_type: z
    .literal(["fixed_small", "fixed_small_log", "fixed_large", null], {
      error: "fixed_small, fixed_small_log, fixed_large",
    })
    .transform((value) => (value === "fixed_large" ? "fixed_large" : "fixed_small")),
  interpolation_type: choice(["linear", "log_linear"]),
  timestep_type: choice(["discrete"]),
  use_karras_sigmas: flag,
  use_exponential_sigmas: flag,
  use_beta_sigmas: flag,
  use_lu_lambdas: flag,
  use_flow_sigmas: flag,
  flow_shift: positive,
  sigma_min: nullableNumber,
  sigma_max: nullableNumber,
  final_sigmas_type: choice(["zero", "sigma_min"]),
  solver_order: z.literal([1, 2, 3], { error: "1, 2, 3" }),
  algorithm_type: choice(["dpmsolver++", "sde-dpmsolver++", "dpmsolver", "sde-dpmsolver"]),
  solver_type: choice(["midpoint", "heun", "logrho", "bh1", "bh2"]),
  lower_order_final: flag,
  euler_at_final: flag,
  // Python writes minus infinity as a bare -Infinity, which JSON readers represent in different ways.
  lambda_min_clipped: z
    .union([number, z.literal([-Infinity, "-Infinity", null])], { error: "a number, -Infinity" })
    .transform((value) => (typeof value === "number" ? value : -Infinity)),
  predict_x0: flag,
  disable_corrector: z.array(z.int(), { error: "a list of step numbers" }),
  solver_p: z.null({ error: "null (UniPC predicts by itself)" }),
  noise_sampler_seed: z.null({ error: "null (noise comes from the generator of each seed)" }),
  sigma_data: positive,
  sigma_schedule: choice(["karras", "exponential"]),
  rho: positive,
  original_inference_steps: z.int({ error: "an integer, at least 1" }).min(1, { error: "an integer, at least 1" }),
  timestep_scaling: number,
  shift: positive,
  use_dynamic_shifting: flag,
  base_shift: number,
  max_shift: number,
  base_image_seq_len: number,
  max_image_seq_len: number,
  time_shift_type: choice(["exponential", "linear"]),
  shift_terminal: z.number({ error: "a number from 0 to below 1, null" }).min(0).lt(1).nullable(),
  invert_sigmas: onlyFalse,
  stochastic_sampling: flag,
});

/** All fields with values; fields that the class does not read have a neutral value. */
export type SchedulerSettings = Readonly<z.output<typeof FIELDS>>;

/** Fields that space sigmas anew, instead of at the timesteps. At most one is true. */
export const RESPACINGS = ["use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"] as const;

/** Prediction type: the meaning of the network's output. */
export type Prediction = SchedulerSettings["prediction_type"];

/** Fields of a file or of a class's defaults, before validation. */
export type Given = Readonly<Record<string, unknown>>;

/**
 * Default of every field: diffusers' own where most classes share it, and neutral for classes that do not read the field. A
 * class with another default states it in its row.
 */
export const DEFAULTS = {
  num_train_timesteps: 1000,
  beta_start: 0.0001,
  beta_end: 0.02,
  beta_schedule: "linear",
  trained_betas: null,
  prediction_type: "epsilon",
  timestep_spacing: "leading",
  steps_offset: 0,
  rescale_betas_zero_snr: false,
  use_karras_sigmas: false,
  use_exponential_sigmas: false,
  use_beta_sigmas: false,
  use_lu_lambdas: false,
  use_flow_sigmas: false,
  flow_shift: 1,
  sigma_min: null,
  sigma_max: null,
  final_sigmas_type: "zero",
  set_alpha_to_one: true,
  clip_sample: false,
  clip_sample_range: 1,
  thresholding: false,
  skip_prk_steps: true,
  variance_type: null,
  interpolation_type: "linear",
  timestep_type: "discrete",
  solver_order: 2,
  algorithm_type: "dpmsolver++",
  solver_type: "midpoint",
  lower_order_final: true,
  euler_at_final: false,
  lambda_min_clipped: -Infinity,
  predict_x0: true,
  disable_corrector: [],
  solver_p: null,
  noise_sampler_seed: null,
  sigma_data: 0.5,
  sigma_schedule: "karras",
  rho: 7,
  original_inference_steps: 50,
  timestep_scaling: 10,
  shift: 1,
  use_dynamic_shifting: false,
  base_shift: 0.5,
  max_shift: 1.15,
  base_image_seq_len: 256,
  max_image_seq_len: 4096,
  time_shift_type: "exponential",
  shift_terminal: null,
  invert_sigmas: false,
  stochastic_sampling: false,
} as const satisfies { readonly [K in keyof SchedulerSettings]: unknown };

/** Fields by name, with their defaults. */
export const fields = (...names: readonly (keyof SchedulerSettings)[]): Given =>
  Object.fromEntries(names.map((name) => [name, DEFAULTS[name]]));
