/**
 * Particle guidance. Corso et al. 2024, "Particle Guidance: non-I.I.D. Diverse Sampling with Diffusion Models" (arXiv 2310.13102), with the kernel of its
 * section 5, on x0: in latents, or in features of the images, as in its section 5.2.
 */
import { z } from "zod";
import type { FloatTensor } from "../../tensor/index.js";
import { combine } from "../linear.js";
import { amount, isEarly, type Method, methodSchema, word } from "./method.js";
import { apart, squaredDistances } from "./pairwise.js";

export const particlesSchema = methodSchema("particles", {
  scale: amount(0.2, 0, 10, "strength of the repulsion"),
  until: amount(0.5, 0, 1, "share of the steps with it; at least the first"),
  space: word(["latents", "clip"], "latents", "what is pushed apart: latents, or CLIP features of the decoded images"),
});
type Settings = z.output<typeof particlesSchema>;

export const particlesHookSchema = z.object({
  kind: z.literal("particles"),
  scale: z.number(),
  /** Left out for latents. */
  space: z.literal("clip").optional(),
});
export type ParticlesHook = z.output<typeof particlesHookSchema>;

export const PARTICLES: Method<Settings, ParticlesHook> = {
  title: "particle guidance",
  about: "pushes the predicted images of a prompt apart, near ones most",
  acts: "x0",
  calls: "none; space=clip decodes each image, and takes the gradient of the decoder and of CLIP",
  suits: "all; the first steps",
  source: "Corso et al. 2024, arXiv 2310.13102",
  needs: ["group"],
  excludes: [],
  off: { method: "particles", scale: 0, until: 0.5, space: "latents" },
  at: ({ scale, until, space }, place) =>
    scale === 0 || !isEarly(place, until)
      ? null
      : { hook: { kind: "particles", scale, ...(space === "clip" && { space }) } },
};

/**
 * x_i + s Σ_j 2 k_ij (x_i − x_j) with k_ij = exp(−d_ij² / h_i), h_i = m_i² / ln(n − 1), m_i the median distance to the others (the lower of the middle two): the gradient of
 * −Σ_j k(x_i, x_j), times h_i, so that s means the same at every size. ln(n − 1) is at least ln 2. n × [1, C, h, w] → the same.
 */
export function particles({ scale }: Pick<ParticlesHook, "scale">, group: readonly FloatTensor[]): FloatTensor[] {
  return group.length < 2 ? [...group] : apart(group, repulsion(group, scale));
}

/** Σ_j 2 k_ij (f_i − f_j), k as above: how each of n features would move. n × [P] → the same. */
export function featureForces(features: readonly FloatTensor[]): FloatTensor[] {
  const moved = apart(features, repulsion(features, 1));
  return features.map((own, i) => combine([-1, own], ...(moved[i] ? [[1, moved[i]] as const] : [])));
}

/**
 * x_i + |Δ_i| g_i / |g_i|: the step Δ_i of the form in latents, in the direction of the force in features that was pulled back to latents. A sample
 * without a gradient stays as it is. n × [1, C, h, w] → the same.
 */
export function particlesAlong(
  hook: Pick<ParticlesHook, "scale">,
  group: readonly FloatTensor[],
  gradients: readonly FloatTensor[],
): FloatTensor[] {
  const moved = particles(hook, group);
  return group.map((own, i) => {
    const [to, gradient] = [moved[i], gradients[i]];
    const steep = gradient ? lengthOf(gradient) : 0;
    if (!to || !gradient || steep === 0) return own;
    return combine([1, own], [lengthOf(combine([1, to], [-1, own])) / steep, gradient]);
  });
}

/** 2 s k_ij for each pair of points. */
function repulsion(points: readonly FloatTensor[], scale: number): number[][] {
  return squaredDistances(points).map((row) => {
    const bandwidth = lowerMedian(row) / Math.log(Math.max(points.length - 1, 2));
    return row.map((d) => (bandwidth === 0 ? 0 : 2 * scale * Math.exp(-d / bandwidth)));
  });
}

/** Median of the distances of one sample to the others; the lower of the middle two for an even number. */
function lowerMedian(row: readonly number[]): number {
  const sorted = row.filter((d) => d > 0).sort((a, b) => a - b);
  return sorted[Math.ceil(sorted.length / 2) - 1] ?? 0;
}

const lengthOf = ({ data }: FloatTensor): number => Math.sqrt(data.reduce((sum, v) => sum + v * v, 0));
