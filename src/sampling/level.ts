/**
 * How much noise a latent holds, as a value: where it stands in training time and its two variance-preserving factors.
 * And the table of ᾱ over the training timesteps, rounded as PyTorch rounds it, so that levels equal diffusers' to the last bit.
 */
import { UnsupportedConfigError } from "../errors.js";
import type { SchedulerConfig, SchedulerSettings } from "./scheduler.js";

/** x_t = alpha · x0 + sigma · ε with alpha² + sigma² = 1. */
export interface NoiseLevel {
  /** Training timestep whose level this is, 0 … 999; fractional between two of them; −1 for a clean latent. */
  readonly t: number;
  /** ᾱ = alpha²: 1 is clean, 0 is noise alone. */
  readonly alphaBar: number;
  readonly alpha: number;
  readonly sigma: number;
}

/** No noise at all. */
export const CLEAN: NoiseLevel = { t: -1, alphaBar: 1, alpha: 1, sigma: 0 };

/** The level with this ᾱ. */
export const levelOfAlphaBar = (t: number, alphaBar: number): NoiseLevel => ({
  t,
  alphaBar,
  alpha: Math.sqrt(alphaBar),
  sigma: Math.sqrt(1 - alphaBar),
});

/** The level that a solver which thinks in sigmas calls σ = sigma / alpha (Karras et al. 2022): ᾱ = 1 / (σ² + 1). */
export function levelOfKarrasSigma(t: number, ratio: number): NoiseLevel {
  if (ratio === 0) return CLEAN;
  const scale = 1 / Math.sqrt(ratio * ratio + 1);
  return { t, alphaBar: scale * scale, alpha: scale, sigma: ratio * scale };
}

/** σ as solvers in sigma space mean it: sigma / alpha, from 0 to infinity. */
export const karrasSigma = (level: NoiseLevel): number => level.sigma / level.alpha;

/**
 * Whether two levels are one and the same: σ agrees to a millionth, which is where two schedulers differ that compute
 * the same level by different float32 routes.
 */
export function sameLevel(a: NoiseLevel, b: NoiseLevel): boolean {
  const near = (x: number, y: number) => Math.abs(x - y) <= 1e-6 * Math.max(x, y);
  return near(a.sigma, b.sigma) && near(a.alpha, b.alpha);
}

/** Whether `a` holds more noise than `b`, by more than rounding. */
export const noisier = (a: NoiseLevel, b: NoiseLevel): boolean => a.alphaBar < b.alphaBar && !sameLevel(a, b);

const { fround } = Math;

/** ᾱ for every training timestep [num_train_timesteps], noisiest last. */
export function alphaBars(config: SchedulerConfig): Float64Array {
  const { settings } = config;
  const betas = settings.trained_betas
    ? trainedBetas(config, settings.trained_betas)
    : BETAS[settings.beta_schedule](settings);
  const table = cumulative(settings.rescale_betas_zero_snr ? zeroTerminalSnr(betas) : betas);
  // Solvers that divide by ᾱ never meet zero: diffusers puts fp16's smallest positive number there.
  if (settings.rescale_betas_zero_snr && SMALLEST_INSTEAD_OF_ZERO.has(config.className)) {
    table[table.length - 1] = 2 ** -24;
  }
  return table;
}

const SMALLEST_INSTEAD_OF_ZERO: ReadonlySet<SchedulerConfig["className"]> = new Set([
  "EulerDiscreteScheduler",
  "EulerAncestralDiscreteScheduler",
  "DPMSolverMultistepScheduler",
] as const);

/** Betas [num_train_timesteps] in float32, by the name the config gives them. */
const BETAS: { readonly [K in SchedulerSettings["beta_schedule"]]: (s: SchedulerSettings) => Float64Array } = {
  linear: (s) => linspace(s.beta_start, s.beta_end, s.num_train_timesteps),
  scaled_linear: (s) =>
    linspace(Math.sqrt(s.beta_start), Math.sqrt(s.beta_end), s.num_train_timesteps).map((b) => fround(b * b)),
  squaredcos_cap_v2: (s) =>
    fromAlphaBar(s.num_train_timesteps, (t) => Math.cos((((t + 0.008) / 1.008) * Math.PI) / 2) ** 2),
  laplace: (s) =>
    fromAlphaBar(s.num_train_timesteps, (t) => {
      const sign = 0.5 - t < 0 ? -1 : 1;
      const snr = Math.exp(-0.5 * sign * Math.log(1 - 2 * Math.abs(0.5 - t) + 1e-6));
      return Math.sqrt(snr / (1 + snr));
    }),
  sigmoid: (s) =>
    linspace(-6, 6, s.num_train_timesteps).map((x) =>
      fround(fround(fround(1 / (1 + Math.exp(-x))) * fround(s.beta_end - s.beta_start)) + fround(s.beta_start)),
    ),
};

function trainedBetas(config: SchedulerConfig, betas: readonly number[]): Float64Array {
  const wanted = config.settings.num_train_timesteps;
  if (betas.length !== wanted) {
    throw new UnsupportedConfigError({
      file: config.file,
      key: "trained_betas",
      actual: `${betas.length} values`,
      supported: `as many values as num_train_timesteps (${wanted})`,
    });
  }
  return Float64Array.from(betas, fround);
}

/** torch.linspace in float32: counted up from the start in the first half and down from the end in the second. */
function linspace(start: number, end: number, n: number): Float64Array {
  const [first, last] = [fround(start), fround(end)];
  const step = fround(fround(last - first) / (n - 1));
  return Float64Array.from({ length: n }, (_, i) =>
    n === 1 ? first : i < n / 2 ? fround(first + step * i) : fround(last - step * (n - 1 - i)),
  );
}

/** Betas whose running product follows a given ᾱ(t), t in 0 … 1, none above 0.999 (Nichol and Dhariwal 2021, eq. 17). */
function fromAlphaBar(n: number, alphaBar: (t: number) => number): Float64Array {
  return Float64Array.from({ length: n }, (_, i) =>
    fround(Math.min(1 - alphaBar((i + 1) / n) / alphaBar(i / n), 0.999)),
  );
}

/** Stretches √ᾱ so that it ends at exactly 0 and starts where it did (Lin et al. 2023, algorithm 1). */
function zeroTerminalSnr(betas: Float64Array): Float64Array {
  const roots = cumulative(betas).map((a) => fround(Math.sqrt(a)));
  const first = roots[0] ?? 1;
  const last = roots[roots.length - 1] ?? 0;
  const stretch = fround(first / fround(first - last));
  const squares = roots.map((r) => fround(fround(fround(r - last) * stretch) ** 2));
  return squares.map((square, i) => fround(1 - (i === 0 ? square : fround(square / (squares[i - 1] ?? 1)))));
}

/** Running product of 1 − β. torch.cumprod keeps the product in double and rounds what it writes. */
function cumulative(betas: Float64Array): Float64Array {
  let product = 1;
  return betas.map((beta) => {
    product *= fround(1 - beta);
    return fround(product);
  });
}
