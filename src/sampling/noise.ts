/** Adds noise to latents: the forward process from x0, and from one noise level to another. */
import type { FloatTensor } from "../tensor/index.js";
import { addedVariance, type NoiseLevel } from "./level.js";
import { combine } from "./linear.js";

/** Forward process q(x_t | x0): α x0 + σ ε (Ho et al. 2020, eq. 4). x0, eps [shape] → [shape]. */
export const addNoise = (x0: FloatTensor, eps: FloatTensor, level: NoiseLevel): FloatTensor =>
  combine([level.alpha, x0], [level.sigma, eps]);

/**
 * Forward process q(x_b | x_a) from level `a` to a noisier level `b`: (α_b / α_a) x_a + √(σ_b² − (α_b / α_a)² σ_a²) z.
 * Exact in mean and variance, for variance-preserving and flow levels. xt, z [shape] → [shape].
 */
export const renoise = (xt: FloatTensor, z: FloatTensor, a: NoiseLevel, b: NoiseLevel): FloatTensor =>
  combine([b.alpha / a.alpha, xt], [Math.sqrt(addedVariance(a, b)), z]);
