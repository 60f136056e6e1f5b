/**
 * Beta schedules and ᾱ (diffusers' alphas_cumprod) over the training timesteps, rounded as PyTorch rounds them, so that
 * variance-preserving noise levels equal diffusers' to the last bit.
 */
import { UnsupportedConfigError } from "../errors.js";
import type { SchedulerConfig } from "./scheduler.js";
import type { SchedulerSettings } from "./scheduler-fields.js";

const { fround } = Math;

/** ᾱ of every training timestep [num_train_timesteps], noisiest last. */
export function alphasCumprod(config: SchedulerConfig): Float64Array {
  const { settings } = config;
  const betas = settings.trained_betas
    ? trainedBetas(config, settings.trained_betas)
    : BETAS[settings.beta_schedule](settings);
  const table = cumulative(settings.rescale_betas_zero_snr ? zeroTerminalSnr(betas) : betas);
  // For solvers that divide by ᾱ diffusers replaces zero by the smallest positive float16.
  if (settings.rescale_betas_zero_snr && NEVER_ZERO.has(config.className)) {
    table[table.length - 1] = 2 ** -24;
  }
  return table;
}

const NEVER_ZERO: ReadonlySet<SchedulerConfig["className"]> = new Set([
  "EulerDiscreteScheduler",
  "EulerAncestralDiscreteScheduler",
  "DPMSolverMultistepScheduler",
  "UniPCMultistepScheduler",
] as const);

/** Betas [num_train_timesteps] in float32, by beta_schedule. */
const BETAS: { readonly [K in SchedulerSettings["beta_schedule"]]: (s: SchedulerSettings) => Float64Array } = {
  linear: (s) => linspace(s.beta_start, s.beta_end, s.num_train_timesteps),
  scaled_linear: (s) =>
    linspace(Math.sqrt(s.beta_start), Math.sqrt(s.beta_end), s.num_train_timesteps).map((b) => fround(b * b)),
  squaredcos_cap_v2: (s) =>
    fromAlphaBar(s.num_train_timesteps, (t) => Math.cos((((t + 0.008) / 1.008) * Math.PI) / 2) ** 2),
  exp: (s) => fromAlphaBar(s.num_train_timesteps, (t) => Math.exp(-12 * t)),
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

/** torch.linspace in float32: the first half is counted up from the start, the second half down from the end. */
function linspace(start: number, end: number, n: number): Float64Array {
  const [first, last] = [fround(start), fround(end)];
  const step = fround(fround(last - first) / (n - 1));
  return Float64Array.from({ length: n }, (_, i) =>
    n === 1 ? first : i < n / 2 ? fround(first + step * i) : fround(last - step * (n - 1 - i)),
  );
}

/** Betas of a given ᾱ(t), t in 0 … 1, capped at 0.999 (Nichol and Dhariwal 2021, eq. 17). */
function fromAlphaBar(n: number, alphaBar: (t: number) => number): Float64Array {
  return Float64Array.from({ length: n }, (_, i) =>
    fround(Math.min(1 - alphaBar((i + 1) / n) / alphaBar(i / n), 0.999)),
  );
}

/** Rescales √ᾱ so that it ends at exactly 0 and keeps its first value (Lin et al. 2023, algorithm 1). */
function zeroTerminalSnr(betas: Float64Array): Float64Array {
  const roots = cumulative(betas).map((a) => fround(Math.sqrt(a)));
  const first = roots[0] ?? 1;
  const last = roots[roots.length - 1] ?? 0;
  const scale = fround(first / fround(first - last));
  const squares = roots.map((r) => fround(fround(fround(r - last) * scale) ** 2));
  return squares.map((square, i) => fround(1 - (i === 0 ? square : fround(square / (squares[i - 1] ?? 1)))));
}

/** Cumulative product of 1 − β. torch.cumprod accumulates in float64 and rounds each output to float32. */
function cumulative(betas: Float64Array): Float64Array {
  let product = 1;
  return betas.map((beta) => {
    product *= fround(1 - beta);
    return fround(product);
  });
}
