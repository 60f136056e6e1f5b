/** Noise levels: the weights of x0 and of the noise in a latent. Independent of schedules and of tensors. */

/** x_t = alpha · x0 + sigma · ε with alpha² + sigma² = 1. */
export interface NoiseLevel {
  /** Training timestep, 0 … 999; fractional between two of them; −1 for a clean latent. */
  readonly t: number;
  /** ᾱ = alpha²: 1 is clean, 0 is pure noise. */
  readonly alphaBar: number;
  readonly alpha: number;
  readonly sigma: number;
}

/** No noise. */
export const CLEAN: NoiseLevel = { t: -1, alphaBar: 1, alpha: 1, sigma: 0 };

/** Level with this ᾱ (Ho et al. 2020, eq. 4). */
export const levelOfAlphaBar = (t: number, alphaBar: number): NoiseLevel => ({
  t,
  alphaBar,
  alpha: Math.sqrt(alphaBar),
  sigma: Math.sqrt(1 - alphaBar),
});

/** Level with this Karras sigma: ᾱ = 1 / (σ² + 1). */
export function levelOfKarrasSigma(t: number, sigma: number): NoiseLevel {
  if (sigma === 0) return CLEAN;
  const alpha = 1 / Math.sqrt(sigma * sigma + 1);
  return { t, alphaBar: alpha * alpha, alpha, sigma: sigma * alpha };
}

/** σ of solvers in sigma space (Karras et al. 2022): sigma / alpha, from 0 to infinity. */
export const karrasSigma = (level: NoiseLevel): number => level.sigma / level.alpha;

/** True when two levels agree within 1e-6, the difference between schedulers that compute a level by different float32 routes. */
export function sameLevel(a: NoiseLevel, b: NoiseLevel): boolean {
  const near = (x: number, y: number) => Math.abs(x - y) <= 1e-6 * Math.max(x, y);
  return near(a.sigma, b.sigma) && near(a.alpha, b.alpha);
}

/** True when `a` has more noise than `b`, by more than rounding. */
export const noisier = (a: NoiseLevel, b: NoiseLevel): boolean => a.alphaBar < b.alphaBar && !sameLevel(a, b);
