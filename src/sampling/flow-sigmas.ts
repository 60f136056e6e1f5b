/**
 * Sigmas of FlowMatchEulerDiscreteScheduler: raw sigmas, timestep shift, stretch to a terminal value, respacing, in the order
 * and with the rounding of diffusers' set_timesteps.
 */
import { RequestError } from "../errors.js";
import type { SchedulerConfig } from "./scheduler.js";
import type { SchedulerSettings } from "./scheduler-fields.js";
import { linspace, spacingOf } from "./sigmas.js";
import { stepCount, type TimestepSpec } from "./timesteps.js";

/** Inputs of dynamic shifting, which moves sigmas towards noise for larger images. Ignored by configs without it. */
export interface DynamicShift {
  /** Number of image tokens. */
  readonly tokens?: number | undefined;
  /** Shift parameter μ, instead of the one computed from `tokens`. */
  readonly mu?: number | undefined;
}

/** Decreasing sigmas in float32, one per step, without the final 0. @throws RequestError when dynamic shifting lacks its input */
export function flowSigmas(config: SchedulerConfig, spec: TimestepSpec, size: DynamicShift): number[] {
  const { settings } = config;
  const count = stepCount(config, spec);
  // diffusers computes in float32 with a given list of sigmas, else in float64.
  const round: Round = spec.sigmas ? Math.fround : (x) => x;
  const shiftSigma = settings.use_dynamic_shifting ? dynamicShiftOf(config, size) : staticShift(settings.shift);
  const shifted = (spec.sigmas ?? rawSigmas(settings, count)).map((sigma) => shiftSigma(round(sigma), round));
  const stretched = stretchToTerminal(shifted, settings.shift_terminal, round);
  const spacing = spacingOf(settings);
  const [first = 0, last = 0] = [stretched[0], stretched[stretched.length - 1]];
  return (spacing ? spacing(first, last, count) : stretched).map(Math.fround);
}

/** n sigmas from 1 to 1 / n, evenly spaced, with the rounding of torch.linspace in float32 or of numpy.linspace in float64. n is at least 1. */
export function evenSigmas(n: number, precision: "float32" | "float64"): number[] {
  if (precision === "float64") {
    const step = (1 / n - 1) / (n - 1);
    return Array.from({ length: n }, (_, i) => (i === 0 ? 1 : i === n - 1 ? 1 / n : i * step + 1));
  }
  return float32Steps(1, Math.fround(1 / n), n);
}

/** torch.linspace in float32: the first half from the first value on, the rest from the last one back. */
function float32Steps(first: number, last: number, n: number): number[] {
  const [from, to] = [Math.fround(first), Math.fround(last)];
  const step = n > 1 ? Math.fround(Math.fround(to - from) / (n - 1)) : 0;
  return Array.from({ length: n }, (_, i) =>
    i < Math.floor(n / 2) || n === 1 ? Math.fround(from + i * step) : Math.fround(to - (n - 1 - i) * step),
  );
}

/** Largest angle of SANA-Sprint, π / 2 rounded up, and the second of two steps (defaults of diffusers' SanaSprintPipeline). */
const FIRST_ANGLE = 1.5708;
const SECOND_ANGLE = 1.3;

/**
 * Decreasing sigmas of SCMScheduler, one per step: σ = sin t / (sin t + cos t) at angles t that are evenly spaced down to 0, but for two steps
 * (Chen et al. 2025, SANA-Sprint). The first is 1, which diffusers exceeds by 4e-6.
 */
export function angleSigmas(count: number): number[] {
  const angles = count === 2 ? [FIRST_ANGLE, SECOND_ANGLE] : float32Steps(FIRST_ANGLE, 0, count + 1).slice(0, count);
  return angles.map((angle) => {
    const [sin, cos] = [Math.sin, Math.cos].map((f) => Math.fround(f(Math.fround(angle))));
    return Math.min(1, Math.fround((sin ?? 0) / Math.fround((sin ?? 0) + (cos ?? 0))));
  });
}

/** Decreasing sigmas of DPM-Solver with flow sigmas, one per step: evenly spaced between 0 and 1 − 1 / `train`, shifted, without the last, 0. */
export function flowGrid(count: number, shift: number, train: number): number[] {
  const step = (1 / train - 1) / count;
  return Array.from({ length: count }, (_, i) => {
    const sigma = 1 - (i === 0 ? 1 / train : 1 + (count - i) * step);
    return (shift * sigma) / (1 + (shift - 1) * sigma);
  });
}

type Round = (x: number) => number;
type Shift = (sigma: number, round: Round) => number;

/** Evenly spaced between the ends of the training sigmas. With a static shift these are already shifted once, as in diffusers. */
function rawSigmas({ num_train_timesteps: train, ...settings }: SchedulerSettings, count: number): number[] {
  const trained = (i: number): number => {
    const sigma = Math.fround(i / train);
    return settings.use_dynamic_shifting ? sigma : staticShift(settings.shift)(sigma, Math.fround);
  };
  return linspace(trained(train) * train, trained(1) * train, count).map((t) => t / train);
}

/** s σ / (1 + (s − 1) σ): Esser et al. 2024, eq. 23. */
const staticShift =
  (shift: number): Shift =>
  (sigma, round) =>
    round(round(round(shift) * sigma) / round(1 + round(round(shift - 1) * sigma)));

/** m / (m + 1 / σ − 1) with m = e^μ or μ: a static shift by m. */
function dynamicShiftOf({ settings, file }: SchedulerConfig, size: DynamicShift): Shift {
  const mu = size.mu ?? (size.tokens === undefined ? undefined : shiftForTokens(settings, size.tokens));
  if (mu === undefined) {
    throw new RequestError(
      `the schedule depends on the image size (use_dynamic_shifting in ${file}); expected a number of image tokens`,
    );
  }
  const m = settings.time_shift_type === "exponential" ? Math.exp(mu) : mu;
  return (sigma, round) => round(round(m) / round(round(m) + round(round(1 / sigma) - 1)));
}

/**
 * μ of FLUX.2 for image tokens and a number of steps: a line through the values for 10 and for 200 steps, each linear in the tokens; above
 * 4300 tokens that of 200 steps (black-forest-labs/flux2, sampling.py; diffusers, pipelines/flux2).
 */
export function stepwiseShift(tokens: number, steps: number): number {
  const many = 0.00016927 * tokens + 0.45666666;
  if (tokens > 4300) return many;
  const few = 8.73809524e-5 * tokens + 1.89833333;
  const slope = (many - few) / 190;
  return slope * steps + (many - 200 * slope);
}

/** μ, linear in the number of image tokens through the two points of the config; not clamped (FLUX, SD3, Qwen-Image, Z-Image). */
function shiftForTokens(settings: SchedulerSettings, tokens: number): number {
  const { base_shift, max_shift, base_image_seq_len, max_image_seq_len } = settings;
  const slope = (max_shift - base_shift) / (max_image_seq_len - base_image_seq_len);
  return tokens * slope + (base_shift - slope * base_image_seq_len);
}

/**
 * Stretches 1 − σ so that the last sigma is `terminal`; null and 0 leave sigmas unchanged.
 * @throws RequestError for a single step from σ = 1, which cannot be stretched
 */
function stretchToTerminal(sigmas: readonly number[], terminal: number | null, round: Round): readonly number[] {
  if (!terminal) return sigmas;
  const rest = sigmas.map((sigma) => round(1 - sigma));
  const last = rest[rest.length - 1] ?? 0;
  if (last === 0) throw new RequestError(`shift_terminal ${terminal} needs at least two steps; the only sigma is 1`);
  const factor = round(last / round(1 - terminal));
  return rest.map((z) => round(1 - round(z / factor)));
}
