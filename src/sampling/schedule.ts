/**
 * Schedules: for every step the timestep passed to the network, the noise level the solver assumes, and the level the
 * step ends at. Equal to diffusers' `set_timesteps`.
 */
import { RequestError } from "../errors.js";
import { roundHalfEven } from "../tensor/index.js";
import { alphasCumprod } from "./betas.js";
import { angleSigmas, type DynamicShift, flowGrid, flowSigmas } from "./flow-sigmas.js";
import {
  alphaBar,
  CLEAN,
  karrasSigma,
  levelOfAlphaBar,
  levelOfEdmSigma,
  levelOfFlowSigma,
  levelOfKarrasSigma,
  type NoiseLevel,
} from "./level.js";
import { type SchedulerConfig, traitsOf } from "./scheduler.js";
import type { FlowTraits, SigmaTraits, TableTraits } from "./scheduler-classes.js";
import type { SchedulerSettings } from "./scheduler-fields.js";
import { exponentialSigmas, karrasSigmas, spacingOf } from "./sigmas.js";
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
  /** Timestep of a Karras sigma; fractional between training timesteps. */
  readonly timestepOf: (sigma: number) => number;
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
  if (config.settings.use_flow_sigmas) return onFlowGrid(config, spec);
  switch (traits.levels) {
    case "table":
      return onTable(config, traits, spec);
    case "sigmas":
      return onSigmas(config, traits, spec);
    case "flow":
      return onFlow(config, traits, spec, size);
    case "edm":
      return onEdm(config, spec);
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
  return { steps, initNoiseScale: () => 1, levelAt, timestepOf: timestepIn(sigmasOf(table)) };
}

/** Karras sigmas of the training timesteps, in float32. */
const sigmasOf = (table: Float64Array): Float64Array =>
  Float64Array.from(table, (a) => Math.fround(Math.sqrt((1 - a) / a)));

/** k-diffusion's samplers, DPM-Solver and its kin: noise levels are Karras sigmas, interpolated between training timesteps or spaced anew. */
function onSigmas(config: SchedulerConfig, traits: SigmaTraits, spec: TimestepSpec): Schedule {
  const { settings } = config;
  const table = alphasCumprod(config);
  const trained = Array.from(table, (value, t) => levelOfAlphaBar(t, value));
  const trainedSigmas = sigmasOf(table);
  const levelAt = (t: number): NoiseLevel =>
    trained[Math.min(Math.max(t, 0), trained.length - 1)] ?? levelOfKarrasSigma(t, interpolate(trainedSigmas, t));
  const least = settings.final_sigmas_type === "zero" ? CLEAN : levelAt(0);

  const count = stepCount(config, spec);
  const spaced = timestepsOf(config, traits.spacing, spec, noisiestTimestep(settings, table));
  let timesteps = spaced.slice(0, count);
  let levels = [...timesteps.map(levelAt), least];
  const timestepOf = timestepIn(trainedSigmas);
  const loglinear = settings.interpolation_type === "log_linear";
  if (loglinear) {
    // One level more than steps: the last is the least training sigma, and the final level is not used.
    levels = logLinear(trainedSigmas, timesteps.length).map((sigma) => levelOfKarrasSigma(timestepOf(sigma), sigma));
  }
  const spacing = spacingOf(settings);
  if (spacing) {
    const [first, last] = endsOf(settings, traits, trainedSigmas, loglinear ? [] : spaced);
    const sigmas = spacing(first, last, count);
    const times = sigmas.map(timestepOf);
    timesteps = times.map(roundingOf(settings, traits));
    levels = sigmas.map((sigma, i) => levelOfKarrasSigma(times[i] ?? 0, sigma));
    levels.push(traits.repeatsLast && least !== CLEAN ? (levels.at(-1) ?? least) : least);
  }
  const level = (i: number): NoiseLevel => levels[i] ?? CLEAN;
  const steps = timesteps.map((timestep, i) => ({ timestep, at: level(i), to: level(i + 1) }));
  return { steps, initNoiseScale: (first) => initNoiseScale(settings, traits, level(first)), levelAt, timestepOf };
}

/**
 * Largest and smallest sigma of a spacing. DPM-Solver and its kin, and Euler with log-linear interpolation, cover the whole
 * training range; others the range of their timestep spacing.
 */
function endsOf(
  settings: SchedulerSettings,
  { spacing, ignoresBounds }: SigmaTraits,
  trained: Float64Array,
  spaced: readonly number[],
): readonly [number, number] {
  const ends = spacing === "extra" ? [] : spaced;
  const [noisiest, cleanest] = [ends[0] ?? trained.length - 1, ends[ends.length - 1] ?? 0];
  const own = [interpolate(trained, noisiest), interpolate(trained, cleanest)] as const;
  if (ignoresBounds && settings.use_karras_sigmas) return own;
  // diffusers spaces λ between the logarithms in float32.
  if (settings.use_lu_lambdas && !settings.use_karras_sigmas) return [expLog(own[0]), expLog(own[1])];
  return [settings.sigma_max ?? own[0], settings.sigma_min ?? own[1]];
}

const expLog = (sigma: number): number => Math.exp(Math.fround(Math.log(sigma)));

/** Rounding of the timesteps of sigmas that are spaced anew. DPM-Solver and its kin have integer timesteps. */
function roundingOf(settings: SchedulerSettings, { roundsKarras, spacing }: SigmaTraits): (t: number) => number {
  const cosine = roundsKarras === "not-cosine" && settings.beta_schedule === "squaredcos_cap_v2";
  if (roundsKarras && !cosine && (settings.use_karras_sigmas || settings.use_lu_lambdas)) return roundHalfEven;
  return spacing === "extra" ? Math.trunc : Math.fround;
}

/** DPM-Solver with flow sigmas: timesteps are 1000 σ, rounded down. */
function onFlowGrid(config: SchedulerConfig, spec: TimestepSpec): Schedule {
  const { num_train_timesteps: train, flow_shift: shift, final_sigmas_type } = config.settings;
  const sigmas = flowGrid(stepCount(config, spec), shift, train);
  const levels = sigmas.map((sigma) => levelOfFlowSigma(sigma * train, Math.fround(sigma)));
  const final = final_sigmas_type === "zero" ? CLEAN : (levels.at(-1) ?? CLEAN);
  const steps = levels.map((at, i) => ({ timestep: Math.trunc(at.t), at, to: levels[i + 1] ?? final }));
  const levelAt = (t: number): NoiseLevel => levelOfFlowSigma(t, Math.max(t, 0) / train);
  return { steps, initNoiseScale: () => 1, levelAt, timestepOf: (sigma) => sigma * train };
}

/** FlowMatchEuler and SCM: timesteps are 1000 σ in float32, unrounded. */
function onFlow(config: SchedulerConfig, { grid }: FlowTraits, spec: TimestepSpec, size: DynamicShift): Schedule {
  const { num_train_timesteps: train } = config.settings;
  const sigmas = grid === "angles" ? angleSigmas(stepCount(config, spec)) : flowSigmas(config, spec, size);
  const levels = sigmas.map((sigma) => levelOfFlowSigma(Math.fround(sigma * train), sigma));
  const steps = levels.map((at, i) => ({ timestep: at.t, at, to: levels[i + 1] ?? CLEAN }));
  const levelAt = (t: number): NoiseLevel => levelOfFlowSigma(t, Math.max(t, 0) / train);
  return { steps, initNoiseScale: () => 1, levelAt, timestepOf: (sigma) => sigma * train };
}

/** EDM: sigmas between sigma_max and sigma_min; timesteps are log(σ) / 4 in float32 (Karras et al. 2022, table 1). */
function onEdm(config: SchedulerConfig, spec: TimestepSpec): Schedule {
  const { sigma_min, sigma_max, sigma_data, sigma_schedule, rho, final_sigmas_type } = config.settings;
  const count = stepCount(config, spec);
  const [max, min] = [sigma_max ?? 80, sigma_min ?? 0.002];
  const sigmas =
    sigma_schedule === "karras" ? karrasSigmas(max, min, count, rho) : exponentialSigmas(min, max, count).reverse();
  const timestepOf = (sigma: number): number => Math.fround(Math.log(sigma) / 4);
  const levelOf = (sigma: number): NoiseLevel => levelOfEdmSigma(timestepOf(sigma), sigma, sigma_data);
  const levels = sigmas.map(levelOf);
  const final = final_sigmas_type === "zero" ? CLEAN : (levels.at(-1) ?? CLEAN);
  const level = (i: number): NoiseLevel => levels[i] ?? final;
  return {
    steps: levels.map((at, i) => ({ timestep: at.t, at, to: level(i + 1) })),
    // The latents start at √(σ² + 1) times unit noise, before the scaling of the input.
    initNoiseScale: (first) => Math.sqrt(karrasSigma(level(first)) ** 2 + 1) * level(first).alpha,
    levelAt: (t) => levelOf(Math.exp(4 * t)),
    timestepOf,
  };
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
