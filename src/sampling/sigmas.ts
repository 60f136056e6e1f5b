/** Spacings of sigmas between two ends: Karras, exponential, beta. Apply to Karras sigmas and to flow-matching sigmas alike. */

import type { SchedulerSettings } from "./scheduler-fields.js";

/** n sigmas from `max` down to `min`. */
export type SigmaSpacing = (max: number, min: number, n: number) => number[];

/** Karras et al. 2022, eq. 5. */
export const karrasSigmas = (max: number, min: number, n: number, rho = 7): number[] => {
  const [top, bottom] = [max ** (1 / rho), min ** (1 / rho)];
  return linspace(0, 1, n).map((u) => (top + u * (bottom - top)) ** rho);
};

/** Evenly spaced in log σ. */
export const exponentialSigmas: SigmaSpacing = (max, min, n) => linspace(Math.log(max), Math.log(min), n).map(Math.exp);

/** Quantiles of the beta distribution with α = β = 0.6 (Lee et al. 2024, Beta Sampling is All You Need). */
export const betaSigmas: SigmaSpacing = (max, min, n) =>
  linspace(0, 1, n).map((u) => min + betaQuantile(1 - u, 0.6) * (max - min));

/** The spacing that a config asks for; undefined: sigmas stay at the timesteps. */
export function spacingOf(settings: SchedulerSettings): SigmaSpacing | undefined {
  if (settings.use_karras_sigmas) return karrasSigmas;
  if (settings.use_exponential_sigmas || settings.use_lu_lambdas) return exponentialSigmas;
  return settings.use_beta_sigmas ? betaSigmas : undefined;
}

/** numpy.linspace: n values from `start` to `stop`. */
export function linspace(start: number, stop: number, n: number): number[] {
  const step = (stop - start) / (n - 1);
  return Array.from({ length: n }, (_, i) => (i > 0 && i === n - 1 ? stop : i === 0 ? start : start + i * step));
}

/** Quantile function of the symmetric beta distribution Beta(a, a), a < 1, at probability p, by bisection. */
function betaQuantile(p: number, a: number): number {
  if (p === 0 || p === 1 / 2) return p;
  if (p > 1 / 2) return 1 - betaQuantile(1 - p, a);
  const target = 2 * p * incompleteBeta(1 / 2, a);
  let [low, high] = [0, 1 / 2];
  for (;;) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) return high;
    if (incompleteBeta(middle, a) < target) low = middle;
    else high = middle;
  }
}

/** Incomplete beta function B(x; a, a) for 0 ≤ x ≤ 1/2 as a power series (DLMF 8.17.7). */
function incompleteBeta(x: number, a: number): number {
  let [term, sum] = [1, 1 / a];
  // Each term is at most half of the previous one.
  for (let k = 1; k < 64; k++) {
    term *= ((k - a) / k) * x;
    sum += term / (a + k);
  }
  return x ** a * sum;
}
