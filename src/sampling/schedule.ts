/**
 * Schedules: for every step the timestep passed to the network, the noise level the solver assumes, and the level the
 * step ends at. Equal to diffusers' `set_timesteps`.
 */
import { RequestError } from "../errors.js";
import { roundHalfEven } from "../tensor/index.js";
import { alphasCumprod } from "./betas.js";
import { type DynamicShift, flowSigmas } from "./flow-sigmas.js";
import { alphaBar, CLEAN, levelOfAlphaBar, levelOfFlowSigma, levelOfKarrasSigma, type NoiseLevel } from "./level.js";
import { type SchedulerConfig, traitsOf } from "./scheduler.js";
import type { SigmaTraits, TableTraits } from "./scheduler-classes.js";
import type { SchedulerSettings } from "./scheduler-fields.js";
import { exponentialSigmas, karrasSigmas } from "./sigmas.js";
import { stepCount, type TimestepSpec, timestepsOf } from "./timesteps.js";

/** One step of a schedule. */
export interface ScheduleStep {
  /** Timestep passed to the network; may be fractional. */
  readonly timestep: number;
  /** Noise level of that timestep, which the solver assumes for the latents. */
  readonly at: NoiseLevel;
  /** Noise level after the step. */
  readonly to: NoiseLevel;
}

export interface Schedule {
  readonly steps: readonly ScheduleStep[];
  /** Factor on unit noise that gives the initial latents of a run from step `first` on (diffusers' init_noise_sigma). */
  readonly initNoiseScale: (first: number) => number;
  /** Noise level of an integer training timestep; below 0 it is the final level. */
  readonly levelAt: (timestep: number) => NoiseLevel;
}

/**
 * Schedule of a scheduler config for a number of steps, a list of timesteps or a list of flow sigmas.
 * @param size needed by configs whose schedule depends on the image size
 * @throws RequestError when the scheduler does not support the spec, or lacks the size
 */
export function schedule(config: SchedulerConfig, spec: TimestepSpec, size: DynamicShift = {}): Schedule {
  const made = scheduleOf(config, spec, size);
  checkSteps(config, made.steps);
  return made;
}

function scheduleOf(config: SchedulerConfig, spec: TimestepSpec, size: DynamicShift): Schedule {
  const traits = traitsOf(config);
  switch (traits.levels) {
    case "table":
      return onTable(config, traits, spec);
    case "sigmas":
      return onSigmas(config, traits, spec);
    case "flow":
      return onFlow(config, spec, size);
  }
}

/** DDIM, DDPM, PNDM, LCM, TCD: noise levels are looked up by integer timestep. */
function onTable(config: SchedulerConfig, traits: TableTraits, spec: TimestepSpec): Schedule {
  const { settings } = config;
  const table = alphasCumprod(config);
  const timesteps = timestepsOf(config, traits.spacing, spec).slice(0, stepCount(config, spec));
  const final = settings.set_alpha_to_one ? CLEAN : levelOfAlphaBar(0, table[0] ?? 1);
  const levelAt = (t: number): NoiseLevel => {
    if (t < 0) return final;
    const found = table[t];
    if (found === undefined) {
      const last = table.length - 1;
      throw new RequestError(
        `the schedule asks for timestep ${t}; expected 0 to ${last} (steps_offset in ${config.file})`,
      );
    }
    return levelOfAlphaBar(t, found);
  };
  const stride = Math.floor(settings.num_train_timesteps / timesteps.length);
  const next = (t: number, i: number): number => {
    const { target } = traits;
    // diffusers' DDIM takes no list of timesteps; with one, each step ends at the next timestep of the list.
    if (target === "stride" && spec.timesteps === undefined) return t - stride;
    return timesteps[i + 1] ?? (target === "zero" ? 0 : -1);
  };
  const steps = timesteps.map((timestep, i) => ({
    timestep,
    at: levelAt(timestep),
    to: levelAt(next(timestep, i)),
  }));
  return { steps, initNoiseScale: () => 1, levelAt };
}

/** Euler, Euler a, DPM++: noise levels are Karras sigmas, interpolated between training timesteps or spaced anew. */
function onSigmas(config: SchedulerConfig, traits: SigmaTraits, spec: TimestepSpec): Schedule {
  const { settings } = config;
  const table = alphasCumprod(config);
  const trained = Array.from(table, (value, t) => levelOfAlphaBar(t, value));
  const trainedSigmas = Float64Array.from(table, (a) => Math.fround(Math.sqrt((1 - a) / a)));
  const levelAt = (t: number): NoiseLevel =>
    trained[Math.min(Math.max(t, 0), trained.length - 1)] ?? levelOfKarrasSigma(t, interpolate(trainedSigmas, t));
  const final = settings.final_sigmas_type === "zero" ? CLEAN : levelAt(0);

  const count = stepCount(config, spec);
  const spaced = timestepsOf(config, traits.spacing, spec, noisiestTimestep(settings, table));
  let timesteps = spaced.slice(0, count);
  let levels = [...timesteps.map(levelAt), final];
  const timeOf = timestepIn(trainedSigmas);
  if (settings.interpolation_type === "log_linear") {
    // One level more than steps: the last is the least training sigma, and `final` is not used.
    levels = logLinear(trainedSigmas, timesteps.length).map((sigma) => levelOfKarrasSigma(timeOf(sigma), sigma));
  }
  if (settings.use_karras_sigmas) {
    // DPM++ covers the whole training range, Euler the range of its timestep spacing.
    const whole = traits.spacing === "extra";
    const first = whole ? trainedSigmas[trainedSigmas.length - 1] : interpolate(trainedSigmas, spaced[0] ?? 0);
    const last = whole ? trainedSigmas[0] : interpolate(trainedSigmas, spaced[spaced.length - 1] ?? 0);
    const sigmas = karrasSigmas(settings.sigma_max ?? first ?? 0, settings.sigma_min ?? last ?? 0, count);
    const times = sigmas.map(timeOf);
    const rounds = whole && settings.beta_schedule !== "squaredcos_cap_v2";
    timesteps = times.map(rounds ? roundHalfEven : whole ? Math.trunc : Math.fround);
    levels = [...sigmas.map((sigma, i) => levelOfKarrasSigma(times[i] ?? 0, sigma)), final];
  }
  const level = (i: number): NoiseLevel => levels[i] ?? CLEAN;
  const steps = timesteps.map((timestep, i) => ({ timestep, at: level(i), to: level(i + 1) }));
  return { steps, initNoiseScale: (first) => initNoiseScale(settings, traits, level(first)), levelAt };
}

/** FlowMatchEuler: timesteps are 1000 σ in float32, unrounded. */
function onFlow(config: SchedulerConfig, spec: TimestepSpec, size: DynamicShift): Schedule {
  const { num_train_timesteps: train } = config.settings;
  const levels = flowSigmas(config, spec, size).map((sigma) => levelOfFlowSigma(Math.fround(sigma * train), sigma));
  const steps = levels.map((at, i) => ({ timestep: at.t, at, to: levels[i + 1] ?? CLEAN }));
  return { steps, initNoiseScale: () => 1, levelAt: (t) => levelOfFlowSigma(t, Math.max(t, 0) / train) };
}

/**
 * Euler starts from σ_max · noise in sigma space, which in variance-preserving terms has a variance slightly below 1,
 * unless spacing is leading. All others start from unit noise.
 */
function initNoiseScale(settings: SchedulerSettings, { spacing }: SigmaTraits, first: NoiseLevel): number {
  return spacing === "float" && settings.timestep_spacing !== "leading" ? first.sigma : 1;
}

/** Number of training timesteps DPM++ covers: those with log-SNR at or above `lambda_min_clipped` (Lu et al. 2022, appendix D). */
function noisiestTimestep(settings: SchedulerSettings, table: Float64Array): number {
  const below = table.filter((a) => Math.log(Math.sqrt(a) / Math.sqrt(1 - a)) < settings.lambda_min_clipped);
  return settings.num_train_timesteps - below.length;
}

/** numpy.interp over integer positions: linear between them, constant beyond the ends. */
function interpolate(values: Float64Array, at: number): number {
  const position = Math.min(Math.max(at, 0), values.length - 1);
  const low = Math.min(Math.floor(position), values.length - 2);
  const [a, b] = [values[Math.max(low, 0)] ?? 0, values[low + 1] ?? 0];
  return a + (b - a) * (position - low);
}

/** Fractional timestep of a sigma: linear in log σ between training timesteps, constant beyond the ends. */
function timestepIn(sigmas: Float64Array): (sigma: number) => number {
  const logs = sigmas.map((s) => Math.fround(Math.log(s)));
  return (sigma) => {
    const wanted = Math.log(Math.max(sigma, 1e-10));
    const above = logs.findIndex((l) => l > wanted);
    const low = Math.min(Math.max((above < 0 ? logs.length : above) - 1, 0), logs.length - 2);
    const [a, b] = [logs[low] ?? 0, logs[low + 1] ?? 0];
    const weight = Math.min(Math.max((a - wanted) / (a - b), 0), 1);
    return (1 - weight) * low + weight * (low + 1);
  };
}

/** n + 1 sigmas, evenly spaced in log σ from the largest to the smallest training sigma. */
function logLinear(sigmas: Float64Array, n: number): number[] {
  return exponentialSigmas(sigmas[sigmas.length - 1] ?? 1, sigmas[0] ?? 1, n + 1);
}

/** @throws RequestError when noise levels do not strictly decrease: more steps than the spacing has timesteps */
function checkSteps(config: SchedulerConfig, steps: readonly ScheduleStep[]): void {
  steps.forEach((step, i) => {
    const before = steps[i - 1];
    if (before && alphaBar(step.at) <= alphaBar(before.at)) {
      throw new RequestError(
        `${traitsOf(config).name} with ${steps.length} steps does not decrease: timestep ${step.timestep} comes after ${before.timestep}. Use fewer steps`,
      );
    }
  });
}
