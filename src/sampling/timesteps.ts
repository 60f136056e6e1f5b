/**
 * Timesteps of a run: the spacings of diffusers' schedulers with the rounding of each class, and the validation of
 * timesteps given by the user. Independent of noise levels.
 */
import { RequestError } from "../errors.js";
import { roundHalfEven } from "../tensor/index.js";
import { type SchedulerConfig, traitsOf } from "./scheduler.js";
import type { SigmaTraits, TableTraits } from "./scheduler-classes.js";
import { RESPACINGS, type SchedulerSettings } from "./scheduler-fields.js";

/** Exactly one of a number of steps, a list of timesteps and a list of flow sigmas. */
export interface TimestepSpec {
  readonly steps?: number | undefined;
  /** Decreasing integers. */
  readonly timesteps?: readonly number[] | undefined;
  /** Decreasing flow-matching sigmas, 1 … 0 without the final 0, before shifting (diffusers' `sigmas`). */
  readonly sigmas?: readonly number[] | undefined;
}

/**
 * Decreasing timesteps, one per step, as the spacing of the scheduler gives them (Karras sigmas replace them later). For
 * some counts (61, 103, …) rounding makes trailing spacing one element too long, ending at t = −1. diffusers calls the
 * network there; callers leave that element out, but the range of Karras sigmas still includes it.
 * @param noisiest number of training timesteps that the spacing covers, for schedulers that clip the log-SNR; by default all
 * @throws RequestError when the scheduler does not support the spec
 */
export function timestepsOf(
  config: SchedulerConfig,
  spacing: (TableTraits | SigmaTraits)["spacing"],
  spec: TimestepSpec,
  noisiest: number = config.settings.num_train_timesteps,
): readonly number[] {
  const steps = stepCount(config, spec);
  if (spec.timesteps !== undefined) return spec.timesteps;
  const { settings } = config;
  return spacing === "distilled"
    ? distilledTimesteps(settings, steps)
    : SPACINGS[settings.timestep_spacing](settings, steps, spacing, noisiest);
}

/** Number of steps of a valid spec. @throws RequestError when the scheduler does not support it */
export function stepCount(config: SchedulerConfig, spec: TimestepSpec): number {
  const { steps, timesteps, sigmas } = spec;
  if ([steps, timesteps, sigmas].filter((given) => given !== undefined).length !== 1) {
    throw new RequestError(
      "a schedule needs exactly one of a number of steps, a list of timesteps and a list of sigmas",
    );
  }
  if (timesteps !== undefined) return checkTimesteps(config, timesteps);
  if (sigmas !== undefined) return checkSigmas(config, sigmas);
  return checkCount(config, steps ?? 0);
}

function checkCount(config: SchedulerConfig, steps: number): number {
  const traits = traitsOf(config);
  const { num_train_timesteps: train, original_inference_steps: original } = config.settings;
  const distilled = traits.levels === "table" && traits.spacing === "distilled";
  const most = distilled ? Math.min(train, original) : train;
  if (Number.isInteger(steps) && steps >= 1 && steps <= most) return steps;
  const why = most < train ? ` (original_inference_steps of ${traits.name})` : "";
  throw new RequestError(`steps is ${steps}; expected an integer from 1 to ${most}${why}`);
}

/** Why a scheduler takes no list of timesteps; undefined where it takes one. */
export function refusesTimesteps(config: SchedulerConfig): string | undefined {
  const { name, levels, solver } = traitsOf(config);
  if (solver === "pndm")
    return `${name} repeats timesteps of its own; timesteps cannot be given. Use another scheduler`;
  if (levels === "flow" || levels === "edm")
    return `timesteps of ${name} follow from its sigmas; give a number of steps`;
  const respaced = [...RESPACINGS, "use_lu_lambdas" as const, "use_flow_sigmas" as const].find(
    (key) => config.settings[key],
  );
  return respaced && `timesteps cannot be given with ${respaced} = true (${config.file}); give a number of steps`;
}

function checkTimesteps(config: SchedulerConfig, timesteps: readonly number[]): number {
  const { num_train_timesteps: train } = config.settings;
  const refused = refusesTimesteps(config);
  if (refused !== undefined) throw new RequestError(refused);
  checkDecreasing("timestep", timesteps);
  for (const t of timesteps) {
    if (!Number.isInteger(t) || t < 0 || t >= train) {
      throw new RequestError(`timestep ${t} is outside the schedule; expected integers from 0 to ${train - 1}`);
    }
  }
  return timesteps.length;
}

function checkSigmas(config: SchedulerConfig, sigmas: readonly number[]): number {
  const { name, levels } = traitsOf(config);
  if (levels !== "flow") {
    throw new RequestError(`sigmas cannot be given to ${name}; give a number of steps or timesteps`);
  }
  checkDecreasing("sigma", sigmas);
  for (const sigma of sigmas) {
    if (!(sigma > 0 && sigma <= 1)) throw new RequestError(`sigma is ${sigma}; expected numbers above 0, at most 1`);
  }
  return sigmas.length;
}

function checkDecreasing(noun: string, values: readonly number[]): void {
  if (values.length === 0) throw new RequestError(`${noun}s is an empty list; expected at least one`);
  values.forEach((value, i) => {
    const before = values[i - 1];
    if (before !== undefined && value >= before) {
      throw new RequestError(`${noun}s must decrease; ${value} comes after ${before} in ${values.join(",")}`);
    }
  });
}

type SpacingRule = (
  settings: SchedulerSettings,
  steps: number,
  spacing: Exclude<(TableTraits | SigmaTraits)["spacing"], "distilled">,
  noisiest: number,
) => number[];

/** Lin et al. 2023, table 2, as diffusers computes it. */
const SPACINGS: { readonly [K in SchedulerSettings["timestep_spacing"]]: SpacingRule } = {
  leading({ steps_offset }, steps, spacing, noisiest) {
    const ratio = Math.floor(noisiest / (spacing === "extra" ? steps + 1 : steps));
    const first = spacing === "extra" ? 1 : 0;
    return decreasing(steps, (i) => (i + first) * ratio + steps_offset);
  },
  trailing({ num_train_timesteps }, steps, _spacing, noisiest) {
    const ratio = num_train_timesteps / steps;
    // numpy.arange adds the difference of its first two values, which is not quite −ratio.
    const difference = noisiest - ratio - noisiest;
    const length = Math.ceil(noisiest / ratio);
    return Array.from({ length }, (_, i) => roundHalfEven(noisiest + i * difference) - 1);
  },
  linspace(_settings, steps, spacing, noisiest) {
    const values = spacing === "extra" ? steps + 1 : steps;
    const drop = values - steps;
    const ratio = (noisiest - 1) / (values - 1);
    const at = (i: number) => (i === 0 ? 0 : i === values - 1 ? noisiest - 1 : i * ratio);
    const round = spacing === "float" ? Math.fround : roundHalfEven;
    return decreasing(steps, (i) => round(at(i + drop)));
  },
};

/** LCM and TCD: a subset of the timesteps the model was distilled on (Luo et al. 2023), noisiest first. */
function distilledTimesteps(settings: SchedulerSettings, steps: number): number[] {
  const { num_train_timesteps: train, original_inference_steps: original } = settings;
  const stride = Math.floor(train / original);
  return Array.from({ length: steps }, (_, i) => (original - Math.floor(i * (original / steps))) * stride - 1);
}

const decreasing = (length: number, at: (i: number) => number): number[] =>
  Array.from({ length }, (_, i) => at(length - 1 - i));
