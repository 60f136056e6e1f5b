/** Scheduler configs that the tests of this room share: SD's betas on every class, and files as the Hub has them. */
import { parseScheduler, type SchedulerConfig } from "../../src/sampling/index.js";

/** The betas of SD 1.x, 2.x and SDXL. */
export const SD_BETAS = { beta_start: 0.00085, beta_end: 0.012, beta_schedule: "scaled_linear" };

/** A class with SD's betas and what else is given. */
export const scheduler = (className: string, fields: object = {}): SchedulerConfig =>
  parseScheduler(
    { _class_name: className, ...SD_BETAS, clip_sample: false, skip_prk_steps: true, ...fields },
    "scheduler_config.json",
  );

/** FlowMatchEulerDiscreteScheduler with these fields. */
export const flowScheduler = (fields: object = {}): SchedulerConfig =>
  parseScheduler({ _class_name: "FlowMatchEulerDiscreteScheduler", ...fields }, "scheduler_config.json");

/** SD 1.5's file: no timestep_spacing. */
export const SD15 = {
  _class_name: "PNDMScheduler",
  _diffusers_version: "0.6.0",
  ...SD_BETAS,
  num_train_timesteps: 1000,
  set_alpha_to_one: false,
  skip_prk_steps: true,
  steps_offset: 1,
  trained_betas: null,
  clip_sample: false,
};
