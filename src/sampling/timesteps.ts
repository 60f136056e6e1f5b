/**
 * Which timesteps a run visits: the layouts of diffusers' schedulers with each class's own rounding, and the checks of
 * timesteps that a user gives. Knows nothing of noise levels.
 */
import { RequestError } from "../errors.js";
import { roundHalfEven } from "../tensor/index.js";
import { familyOf, type SchedulerConfig, type SchedulerFamily, type SchedulerSettings } from "./scheduler.js";

/** What a walk over the schedule is asked for: a number of steps, or the timesteps themselves (falling, whole). Exactly one. */
export interface Walk {
  readonly steps?: number | undefined;
  readonly timesteps?: readonly number[] | undefined;
}

/**
 * Timesteps, falling, before any ladder of sigmas replaces them: one per step. With some counts (61, 103, …) rounding lets
 * trailing spacing run one element too far, to t = −1; diffusers then calls the network there, which is left out here,
 * but what Karras sigmas are stretched over is still counted from it.
 * `noisiest` is the training timestep that the layout starts from, for schedulers that clip log-SNR; by default the last.
 * @throws RequestError when the walk makes no sense for this scheduler
 */
export function timestepsOf(
  config: SchedulerConfig,
  walk: Walk,
  noisiest: number = config.settings.num_train_timesteps,
): readonly number[] {
  const steps = stepsOf(config, walk);
  if (walk.timesteps !== undefined) return walk.timesteps;
  const family = familyOf(config);
  const { settings } = config;
  return family.spacing === "distilled"
    ? distilledGrid(settings, steps)
    : LAYOUTS[settings.timestep_spacing](settings, steps, family.spacing, noisiest);
}

/** The number of steps that a walk has, once it is known to make sense. @throws RequestError when it does not */
export function stepsOf(config: SchedulerConfig, walk: Walk): number {
  const { name, solver, spacing } = familyOf(config);
  const { num_train_timesteps: train, original_inference_steps: original, use_karras_sigmas } = config.settings;
  if ((walk.steps === undefined) === (walk.timesteps === undefined)) {
    throw new RequestError(
      "a schedule needs either a number of steps or a list of timesteps, not both and not neither",
    );
  }
  if (walk.timesteps !== undefined) {
    if (solver === "pndm") {
      throw new RequestError(`${name} repeats timesteps of its own; timesteps cannot be given. Take another scheduler`);
    }
    if (use_karras_sigmas) {
      throw new RequestError(`timesteps cannot be given with use_karras_sigmas = true (${config.file})`);
    }
    checkTimesteps(walk.timesteps, train);
    return walk.timesteps.length;
  }
  const steps = walk.steps ?? 0;
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
      throw new RequestError(`timesteps must fall; ${t} comes after ${before} in ${timesteps.join(",")}`);
    }
  });
}

type Layout = (
  settings: SchedulerSettings,
  steps: number,
  spacing: Exclude<SchedulerFamily["spacing"], "distilled">,
  noisiest: number,
) => number[];

/** Table 2 of Lin et al. 2023, as diffusers computes it. */
const LAYOUTS: { readonly [K in SchedulerSettings["timestep_spacing"]]: Layout } = {
  leading({ steps_offset }, steps, spacing, noisiest) {
    const ratio = Math.floor(noisiest / (spacing === "extra" ? steps + 1 : steps));
    const first = spacing === "extra" ? 1 : 0;
    return falling(steps, (i) => (i + first) * ratio + steps_offset);
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
    return falling(steps, (i) => round(at(i + drop)));
  },
};

/** LCM and TCD: evenly spaced places in the grid the model was distilled on (Luo et al. 2023), noisiest first. */
function distilledGrid(settings: SchedulerSettings, steps: number): number[] {
  const { num_train_timesteps: train, original_inference_steps: original } = settings;
  const stride = Math.floor(train / original);
  return Array.from({ length: steps }, (_, i) => (original - Math.floor(i * (original / steps))) * stride - 1);
}

const falling = (length: number, at: (i: number) => number): number[] =>
  Array.from({ length }, (_, i) => at(length - 1 - i));
