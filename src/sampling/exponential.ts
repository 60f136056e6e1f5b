/**
 * Exponential integrators of DPM-Solver (Lu et al. 2022) and DPM-Solver++ (Lu et al. 2022b), up to third order: weights of the
 * latents and of predictions at earlier levels. Multistep and singlestep solvers, and UniPC, share them.
 */
import { karrasSigma, type NoiseLevel } from "./level.js";
import type { SchedulerSettings } from "./scheduler-fields.js";
import type { LinearSpec } from "./solver-spec.js";

/** Data or noise prediction; with or without noise (reverse SDE). */
export type Algorithm = SchedulerSettings["algorithm_type"];

/** λ = log(α / σ): half the log-SNR. Infinite for a clean latent. */
export const lambda = (level: NoiseLevel): number => -Math.log(karrasSigma(level));

/**
 * Exact part of a step from one level to another: x' = ratio x − scale φ₁(hh) d + noise z, for a constant prediction d.
 * `h` is the difference in λ, `phi` is e^hh − 1.
 */
export interface Frame {
  readonly of: "x0" | "eps";
  readonly ratio: number;
  readonly scale: number;
  readonly h: number;
  readonly hh: number;
  readonly phi: number;
  readonly noise: number;
}

const FRAMES: { readonly [K in Algorithm]: (at: NoiseLevel, to: NoiseLevel, h: number) => Omit<Frame, "h" | "phi"> } = {
  "dpmsolver++": (at, to, h) => ({ of: "x0", ratio: to.sigma / at.sigma, scale: to.alpha, hh: -h, noise: 0 }),
  dpmsolver: (at, to, h) => ({ of: "eps", ratio: to.alpha / at.alpha, scale: to.sigma, hh: h, noise: 0 }),
  "sde-dpmsolver++": (at, to, h) => ({
    of: "x0",
    ratio: (to.sigma / at.sigma) * Math.exp(-h),
    scale: to.alpha,
    hh: -2 * h,
    noise: to.sigma * Math.sqrt(-Math.expm1(-2 * h)),
  }),
  "sde-dpmsolver": (at, to, h) => ({
    of: "eps",
    ratio: to.alpha / at.alpha,
    scale: 2 * to.sigma,
    hh: h,
    noise: to.sigma * Math.sqrt(Math.expm1(2 * h)),
  }),
};

export function frame(algorithm: Algorithm, at: NoiseLevel, to: NoiseLevel): Frame {
  const h = lambda(to) - lambda(at);
  const made = FRAMES[algorithm](at, to, h);
  return { ...made, h, phi: Math.expm1(made.hh) };
}

/** Weights of the constant, linear and quadratic parts of the prediction, by order and solver type. */
export function parts({ scale, hh, phi, noise }: Frame, order: number, solverType: string): readonly number[] {
  const constant = -scale * phi;
  if (order === 1) return [constant];
  const exact = -scale * (phi / hh - 1);
  if (order === 2) return [constant, solverType === "heun" ? exact : constant / 2];
  // The quadratic part is −scale ((φ₁ − hh) / hh² − 1/2). diffusers adds the half for the SDE; equal results need the same.
  const half = noise > 0 ? -1 / 2 : 1 / 2;
  return [constant, exact, -scale * ((phi - hh) / hh ** 2 - half)];
}

/** Weights of x, of the predictions and of noise, as a linear step has them. */
export type Weights = Pick<LinearSpec, "of" | "xt" | "outputs" | "noise">;

/**
 * Multistep: from the current level, with predictions at it and at the levels `before` it, newest first. The order is one
 * more than the number of those levels (at most two). Lu et al. 2022b, algorithm 2, and its third-order form in the authors' code.
 */
export function multistepWeights(made: Frame, at: NoiseLevel, before: readonly NoiseLevel[], type: string): Weights {
  const { of, ratio: xt, noise, h } = made;
  const [constant = 0, linear = 0, quadratic = 0] = parts(made, before.length + 1, type);
  const [first, second] = before;
  if (!first) return { of, xt, outputs: [constant], noise };
  const r0 = (lambda(at) - lambda(first)) / h;
  // D1 = (m0 − m1) / r0
  if (!second) return { of, xt, outputs: [constant + linear / r0, -linear / r0], noise };
  const r1 = (lambda(first) - lambda(second)) / h;
  // D1 = (1 + w) D10 − w D11 and D2 = (D10 − D11) / (r0 + r1), with D10 = (m0 − m1) / r0 and D11 = (m1 − m2) / r1.
  const w = r0 / (r0 + r1);
  const d10 = (linear * (1 + w) + quadratic / (r0 + r1)) / r0;
  const d11 = -(linear * w + quadratic / (r0 + r1)) / r1;
  return { of, xt, outputs: [constant + d10, d11 - d10, -d11], noise };
}

/**
 * Singlestep: from the level at which the step began, with predictions at that level and at those `inside` the step, oldest
 * first. Lu et al. 2022b, algorithm 1; third order as in the authors' code. `xt` is the weight of the latents kept there.
 */
export function singlestepWeights(
  made: Frame,
  start: NoiseLevel,
  inside: readonly NoiseLevel[],
  type: string,
): Weights {
  const { of, ratio: xt, noise, h } = made;
  const [constant = 0, linear = 0, quadratic = 0] = parts(made, inside.length + 1, type);
  const [first, second] = inside;
  if (!first) return { of, xt, outputs: [constant], noise };
  const r1 = (lambda(first) - lambda(start)) / h;
  // D1 = (m0 − m1) / r1
  if (!second) return { of, xt, outputs: [linear / r1, constant - linear / r1], noise };
  const r0 = (lambda(second) - lambda(start)) / h;
  // D10 = (m1 − m2) / r1 and D11 = (m0 − m2) / r0; midpoint has D11 alone.
  const [d10, d11] =
    type === "heun"
      ? [(linear * r0 - 2 * quadratic) / (r0 - r1), (2 * quadratic - linear * r1) / (r0 - r1)]
      : [0, linear];
  return { of, xt, outputs: [d11 / r0, d10 / r1, constant - d10 / r1 - d11 / r0], noise };
}
