/** Noise levels: the weights of x0 and of the noise in a latent. Independent of schedules and of tensors. */

/**
 * x_t = alpha · x0 + sigma · ε with ε ~ N(0, I). Diffusion models are variance preserving (alpha² + sigma² = 1); flow
 * matching has alpha = 1 − sigma.
 */
export interface NoiseLevel {
  /** Training timestep, 0 … 999, fractional between two of them; 1000 sigma for flow matching; −1 for a clean latent. */
  readonly t: number;
  readonly alpha: number;
  readonly sigma: number;
}

/** No noise. */
export const CLEAN: NoiseLevel = { t: -1, alpha: 1, sigma: 0 };

/** Variance-preserving level with this ᾱ (Ho et al. 2020, eq. 4). */
export const levelOfAlphaBar = (t: number, alphaBar: number): NoiseLevel => ({
  t,
  alpha: Math.sqrt(alphaBar),
  sigma: Math.sqrt(1 - alphaBar),
});

/** Variance-preserving level with this Karras sigma: α = 1 / √(σ² + 1). */
export function levelOfKarrasSigma(t: number, sigma: number): NoiseLevel {
  if (sigma === 0) return CLEAN;
  const alpha = 1 / Math.sqrt(sigma * sigma + 1);
  return { t, alpha, sigma: sigma * alpha };
}

/**
 * Level of the EDM formulation, scaled so that the latents are the network's input: c_in (x0 + σ ε) with
 * c_in = 1 / √(σ² + σ_data²) (Karras et al. 2022, table 1). With σ_data = 1 it is variance preserving.
 */
export function levelOfEdmSigma(t: number, sigma: number, sigmaData: number): NoiseLevel {
  if (sigma === 0) return CLEAN;
  const alpha = 1 / Math.sqrt(sigma * sigma + sigmaData * sigmaData);
  return { t, alpha, sigma: sigma * alpha };
}

/** Flow-matching level: α = 1 − σ (Lipman et al. 2023; Liu et al. 2023). */
export const levelOfFlowSigma = (t: number, sigma: number): NoiseLevel =>
  sigma === 0 ? CLEAN : { t, alpha: 1 - sigma, sigma };

/** σ of solvers in sigma space (Karras et al. 2022): sigma / alpha, from 0 to infinity. */
export const karrasSigma = (level: NoiseLevel): number => level.sigma / level.alpha;

/** ᾱ: 1 is clean, 0 is pure noise. Outside variance-preserving levels, ᾱ of the level with the same signal-to-noise ratio. */
export const alphaBar = ({ alpha, sigma }: NoiseLevel): number => alpha ** 2 / (alpha ** 2 + sigma ** 2);

/** Share of noise σ / (α + σ), from 0 to 1: σ of the flow-matching level with the same signal-to-noise ratio. */
export const noiseShare = ({ alpha, sigma }: NoiseLevel): number => sigma / (alpha + sigma);

/** True when two levels agree within 1e-6, the difference between schedulers that compute a level by different float32 routes. */
export function sameLevel(a: NoiseLevel, b: NoiseLevel): boolean {
  const near = (x: number, y: number) => Math.abs(x - y) <= 1e-6 * Math.max(x, y);
  return near(a.sigma, b.sigma) && near(a.alpha, b.alpha);
}

/** True when `a` has more noise than `b`, by more than rounding. */
export const noisier = (a: NoiseLevel, b: NoiseLevel): boolean => alphaBar(a) < alphaBar(b) && !sameLevel(a, b);

/**
 * Variance of the noise that the forward process adds from level `a` to the noisier level `b`: σ_b² − (α_b / α_a)² σ_a²,
 * which is 1 − ᾱ_b / ᾱ_a for variance-preserving levels (Kingma et al. 2021, appendix A). Factored, to avoid cancellation in the
 * difference of squares.
 */
export function addedVariance(a: NoiseLevel, b: NoiseLevel): number {
  const kept = (b.alpha / a.alpha) * a.sigma;
  return Math.max((b.sigma - kept) * (b.sigma + kept), 0);
}

/**
 * Splits the Karras sigma after a step into what an ODE step leaves (down) and fresh noise (up), as k-diffusion's ancestral
 * steps do: down² + up² = to².
 */
export function ancestral(from: number, to: number): { readonly up: number; readonly down: number } {
  const up = Math.min(to, Math.sqrt((to ** 2 * (from ** 2 - to ** 2)) / from ** 2));
  return { up, down: Math.sqrt(Math.max(to ** 2 - up ** 2, 0)) };
}
