/**
 * The levels of a run: for every step what the network is told, the level the solver takes the latents to be at, and the
 * level it leaves them at. Equal to diffusers' `set_timesteps`, in variance-preserving terms.
 */
import { RequestError } from "../errors.js";
import { roundHalfEven } from "../tensor/index.js";
import { alphaBars, CLEAN, levelOf, levelOfRatio, type NoiseLevel } from "./level.js";
import { familyOf, type SchedulerConfig, type SchedulerSettings } from "./scheduler.js";
import { stepsOf, timestepsOf, type Walk } from "./timesteps.js";

/** One stop of a schedule. */
export interface Stop {
  /** What the network is told; may be fractional. */
  readonly timestep: number;
  /** The level of that timestep: what the solver takes the latents to be at. */
  readonly at: NoiseLevel;
  /** The level that the solver aims for. */
  readonly to: NoiseLevel;
}

export interface Schedule {
  readonly stops: readonly Stop[];
  /** Factor on unit noise that gives the first latents of a run from this stop on, variance preserving: 1 or a little less. */
  readonly initialScale: (stop: number) => number;
  /** The level of any whole timestep of the training schedule; clean below 0 where the scheduler ends clean. */
  readonly levelAt: (timestep: number) => NoiseLevel;
}

/**
 * The schedule of a config for a number of steps, or for given timesteps.
 * @throws RequestError when the walk makes no sense for this scheduler
 */
export function schedule(config: SchedulerConfig, walk: Walk): Schedule {
  const table = alphaBars(config);
  const found = familyOf(config).levels === "sigmas" ? onSigmas(config, walk, table) : onTable(config, walk, table);
  checkStops(config, found.stops);
  return found;
}

/** DDIM, DDPM, PNDM, LCM, TCD: levels are looked up by whole timestep. */
function onTable(config: SchedulerConfig, walk: Walk, table: Float64Array): Schedule {
  const { settings } = config;
  const timesteps = timestepsOf(config, walk).slice(0, stepsOf(config, walk));
  const end = settings.set_alpha_to_one ? CLEAN : levelOf(0, table[0] ?? 1);
  const levelAt = (t: number): NoiseLevel => {
    if (t < 0) return end;
    const alphaBar = table[t];
    if (alphaBar === undefined) {
      const last = table.length - 1;
      throw new RequestError(
        `the schedule asks for timestep ${t}; expected 0 to ${last} (steps_offset in ${config.file})`,
      );
    }
    return levelOf(t, alphaBar);
  };
  const stride = Math.floor(settings.num_train_timesteps / timesteps.length);
  const next = (t: number, i: number): number => {
    const { lands } = familyOf(config);
    // diffusers' DDIM takes no list of timesteps; where one is given it goes from each to the next.
    if (lands === "stride" && walk.timesteps === undefined) return t - stride;
    return timesteps[i + 1] ?? (lands === "zero" ? 0 : -1);
  };
  const stops = timesteps.map((timestep, i) => ({
    timestep,
    at: levelAt(timestep),
    to: levelAt(next(timestep, i)),
  }));
  return { stops, initialScale: () => 1, levelAt };
}

/** Euler, Euler a, DPM++: levels are a ladder of sigmas, interpolated between training timesteps or spaced afresh. */
function onSigmas(config: SchedulerConfig, walk: Walk, table: Float64Array): Schedule {
  const { settings } = config;
  const levels = Array.from(table, (alphaBar, t) => levelOf(t, alphaBar));
  const sigmas = Float64Array.from(table, (a) => Math.fround(Math.sqrt((1 - a) / a)));
  const levelAt = (t: number): NoiseLevel =>
    levels[Math.min(Math.max(t, 0), levels.length - 1)] ?? levelOfRatio(t, interpolate(sigmas, t));
  const end = settings.final_sigmas_type === "zero" ? CLEAN : levelAt(0);

  const steps = stepsOf(config, walk);
  const spaced = timestepsOf(config, walk, noisiestTimestep(settings, table));
  let timesteps = spaced.slice(0, steps);
  let ladder = [...timesteps.map(levelAt), end];
  const timeOf = timestepIn(sigmas);
  if (settings.interpolation_type === "log_linear") {
    // One rung more than steps: the ladder reaches the least training sigma, and `end` stays unused.
    ladder = logLinear(sigmas, timesteps.length).map((ratio) => levelOfRatio(timeOf(ratio), ratio));
  }
  if (settings.use_karras_sigmas) {
    // DPM++ spreads over the whole training range, Euler over what its spacing covers.
    const whole = familyOf(config).spacing === "extra";
    const first = whole ? sigmas[sigmas.length - 1] : interpolate(sigmas, spaced[0] ?? 0);
    const last = whole ? sigmas[0] : interpolate(sigmas, spaced[spaced.length - 1] ?? 0);
    const fresh = karras(settings.sigma_max ?? first ?? 0, settings.sigma_min ?? last ?? 0, steps);
    const times = fresh.map(timeOf);
    const rounds = whole && settings.beta_schedule !== "squaredcos_cap_v2";
    timesteps = times.map(rounds ? roundHalfEven : whole ? Math.trunc : Math.fround);
    ladder = [...fresh.map((ratio, i) => levelOfRatio(times[i] ?? 0, ratio)), end];
  }
  const stops = timesteps.map((timestep, i) => ({ timestep, at: rung(ladder, i), to: rung(ladder, i + 1) }));
  return { stops, initialScale: (stop) => initialScale(config, rung(ladder, stop)), levelAt };
}

const rung = (ladder: readonly NoiseLevel[], i: number): NoiseLevel => ladder[i] ?? CLEAN;

/**
 * Euler starts from σ_max · noise in sigma space, without the +1 under the root, unless spacing is leading: that is a
 * latent of slightly less than unit variance. Everything else starts from the noise itself.
 */
function initialScale(config: SchedulerConfig, first: NoiseLevel): number {
  const inSigmas = familyOf(config).spacing === "float";
  return inSigmas && config.settings.timestep_spacing !== "leading" ? first.sigma : 1;
}

/** DPM++ leaves out training timesteps whose log-SNR lies below `lambda_min_clipped` (Lu et al. 2022, appendix D). */
function noisiestTimestep(settings: SchedulerSettings, table: Float64Array): number {
  const below = table.filter((a) => Math.log(Math.sqrt(a) / Math.sqrt(1 - a)) < settings.lambda_min_clipped);
  return settings.num_train_timesteps - below.length;
}

/** numpy.interp over whole places: linear between them, held at the ends. */
function interpolate(values: Float64Array, at: number): number {
  const place = Math.min(Math.max(at, 0), values.length - 1);
  const low = Math.min(Math.floor(place), values.length - 2);
  const [a, b] = [values[Math.max(low, 0)] ?? 0, values[low + 1] ?? 0];
  return a + (b - a) * (place - low);
}

/** Fractional timestep of a sigma: linear in log σ between training timesteps, held at the ends. */
function timestepIn(sigmas: Float64Array): (ratio: number) => number {
  const logs = sigmas.map((s) => Math.fround(Math.log(s)));
  return (ratio) => {
    const wanted = Math.log(Math.max(ratio, 1e-10));
    const above = logs.findIndex((l) => l > wanted);
    const low = Math.min(Math.max((above < 0 ? logs.length : above) - 1, 0), logs.length - 2);
    const [a, b] = [logs[low] ?? 0, logs[low + 1] ?? 0];
    const weight = Math.min(Math.max((a - wanted) / (a - b), 0), 1);
    return (1 - weight) * low + weight * (low + 1);
  };
}

/** Karras et al. 2022, eq. 5 with ρ = 7: n sigmas from `max` down to `min`. */
function karras(max: number, min: number, n: number): number[] {
  const rho = 7;
  const [top, bottom] = [max ** (1 / rho), min ** (1 / rho)];
  return Array.from({ length: n }, (_, i) => (top + (n === 1 ? 0 : i / (n - 1)) * (bottom - top)) ** rho);
}

/** n + 1 sigmas, evenly spaced in log σ from the greatest to the least of training. */
function logLinear(sigmas: Float64Array, n: number): number[] {
  const [top, bottom] = [Math.log(sigmas[sigmas.length - 1] ?? 1), Math.log(sigmas[0] ?? 1)];
  return Array.from({ length: n + 1 }, (_, i) => Math.exp(top + (i / n) * (bottom - top)));
}

/** A schedule that stands still or climbs is refused: too many steps for its spacing, or an offset beyond the end. */
function checkStops(config: SchedulerConfig, stops: readonly Stop[]): void {
  stops.forEach((stop, i) => {
    const before = stops[i - 1];
    if (before && stop.at.alphaBar <= before.at.alphaBar) {
      throw new RequestError(
        `${familyOf(config).name} with ${stops.length} steps does not fall: timestep ${stop.timestep} comes after ${before.timestep}. Take fewer steps`,
      );
    }
  });
}
