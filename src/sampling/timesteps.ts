/**
 * Timesteps of a run: the spacings of diffusers' schedulers with the rounding of each class, and the validation of
 * timesteps given by the user. Independent of noise levels.
 */
import { RequestError } from "../errors.js";
import { roundHalfEven } from "../tensor/index.js";
import { type SchedulerConfig, type SchedulerSettings, type SchedulerTraits, traitsOf } from "./scheduler.js";

/** Either a number of steps or a list of timesteps (decreasing integers), not both. */
export interface TimestepSpec {
  readonly steps?: number | undefined;
  readonly timesteps?: readonly number[] | undefined;
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
  spec: TimestepSpec,
  noisiest: number = config.settings.num_train_timesteps,
): readonly number[] {
  const steps = stepCount(config, spec);
  if (spec.timesteps !== undefined) return spec.timesteps;
  const { spacing } = traitsOf(config);
  const { settings } = config;
  return spacing === "distilled"
    ? distilledTimesteps(settings, steps)
    : SPACINGS[settings.timestep_spacing](settings, steps, spacing, noisiest);
}

/** Number of steps of a valid spec. @throws RequestError when the scheduler does not support it */
export function stepCount(config: SchedulerConfig, spec: TimestepSpec): number {
  const { name, solver, spacing } = traitsOf(config);
  const { num_train_timesteps: train, original_inference_steps: original, use_karras_sigmas } = config.settings;
  if ((spec.steps === undefined) === (spec.timesteps === undefined)) {
    throw new RequestError(
      "a schedule needs either a number of steps or a list of timesteps, not both and not neither",
    );
  }
  if (spec.timesteps !== undefined) {
    if (solver === "pndm") {
      throw new RequestError(`${name} repeats timesteps of its own; timesteps cannot be given. Use another scheduler`);
    }
    if (use_karras_sigmas) {
      throw new RequestError(`timesteps cannot be given with use_karras_sigmas = true (${config.file})`);
    }
    checkTimesteps(spec.timesteps, train);
    return spec.timesteps.length;
  }
  const steps = spec.steps ?? 0;
  const most = spacing === "distilled" ? Math.min(train, original) : train;
  if (!Number.isInteger(steps) || steps < 1 || steps > most) {
    const why = most < train ? ` (original_inference_steps of ${name})` : "";
    throw new RequestError(`steps is ${steps}; expected a whole number from 1 to ${most}${why}`);
  }
  return steps;
}

function checkTimesteps(timesteps: readonly number[], train: number): void {
  if (timesteps.length === 0) throw new RequestError("timesteps is an empty list; expected at least one");
  timesteps.forEach((t, i) => {
    if (!Number.isInteger(t) || t < 0 || t >= train) {
      throw new RequestError(`timestep ${t} is outside the schedule; expected whole numbers from 0 to ${train - 1}`);
    }
    const before = timesteps[i - 1];
    if (before !== undefined && t >= before) {
      throw new RequestError(`timesteps must decrease; ${t} comes after ${before} in ${timesteps.join(",")}`);
    }
  });
}

type SpacingRule = (
  settings: SchedulerSettings,
  steps: number,
  spacing: Exclude<SchedulerTraits["spacing"], "distilled">,
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
