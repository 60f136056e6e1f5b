/** Particle guidance. Corso et al. 2024, "Particle Guidance: non-I.I.D. Diverse Sampling with Diffusion Models" (arXiv 2310.13102), with the kernel of its section 5, on x0. */
import { z } from "zod";
import type { FloatTensor } from "../../tensor/index.js";
import { amount, isEarly, type Method, methodSchema } from "./method.js";
import { apart, squaredDistances } from "./pairwise.js";

export const particlesSchema = methodSchema("particles", {
  scale: amount(0.2, 0, 10, "strength of the repulsion"),
  until: amount(0.5, 0, 1, "share of the steps with it; at least the first"),
});
type Settings = z.output<typeof particlesSchema>;

export const particlesHookSchema = z.object({ kind: z.literal("particles"), scale: z.number() });
export type ParticlesHook = z.output<typeof particlesHookSchema>;

export const PARTICLES: Method<Settings, ParticlesHook> = {
  title: "particle guidance",
  about: "pushes the predicted images of a prompt apart, near ones most",
  acts: "x0",
  calls: "none",
  suits: "all; the first steps",
  source: "Corso et al. 2024, arXiv 2310.13102",
  needs: ["group"],
  excludes: [],
  off: { method: "particles", scale: 0, until: 0.5 },
  at: ({ scale, until }, place) =>
    scale === 0 || !isEarly(place, until) ? null : { hook: { kind: "particles", scale } },
};

/**
 * x_i + s Σ_j 2 k_ij (x_i − x_j) with k_ij = exp(−d_ij² / h_i), h_i = m_i² / ln(n − 1), m_i the median distance to the others (the lower of the middle two): the gradient of
 * −Σ_j k(x_i, x_j), times h_i, so that s means the same at every size. ln(n − 1) is at least ln 2. n × [1, C, h, w] → the same.
 */
export function particles({ scale }: ParticlesHook, group: readonly FloatTensor[]): FloatTensor[] {
  const n = group.length;
  if (n < 2) return [...group];
  const squared = squaredDistances(group);
  const weights = squared.map((row) => {
    const bandwidth = lowerMedian(row) / Math.log(Math.max(n - 1, 2));
    return row.map((d) => (bandwidth === 0 ? 0 : 2 * scale * Math.exp(-d / bandwidth)));
  });
  return apart(group, weights);
}

/** Median of the distances of one sample to the others; the lower of the middle two for an even number. */
function lowerMedian(row: readonly number[]): number {
  const sorted = row.filter((d) => d > 0).sort((a, b) => a - b);
  return sorted[Math.ceil(sorted.length / 2) - 1] ?? 0;
}
