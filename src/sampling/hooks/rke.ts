/** Rényi kernel entropy of order 2 as guidance. Jalali et al. 2025, "SPARKE" (arXiv 2506.10173), with its entropy (Jalali et al. 2023, arXiv 2306.07267) of one prompt's samples, on x0. */
import { z } from "zod";
import type { FloatTensor } from "../../tensor/index.js";
import { amount, isEarly, type Method, methodSchema } from "./method.js";
import { apart, medianDistance, squaredDistances } from "./pairwise.js";

export const rkeSchema = methodSchema("rke", {
  scale: amount(0.2, 0, 10, "strength of the gradient"),
  width: amount(0.7, 0.01, 100, "width of the kernel, in units of the median distance"),
  until: amount(0.5, 0, 1, "share of the steps with it; at least the first"),
});
type Settings = z.output<typeof rkeSchema>;

export const rkeHookSchema = z.object({ kind: z.literal("rke"), scale: z.number(), width: z.number() });
export type RkeHook = z.output<typeof rkeHookSchema>;

export const RKE: Method<Settings, RkeHook> = {
  title: "Rényi kernel entropy",
  about: "increases the entropy of the predicted images of a prompt, the measure of order 2 of the Vendi score",
  acts: "x0",
  calls: "none",
  suits: "all; the first steps",
  source: "Jalali et al. 2025 (SPARKE), arXiv 2506.10173",
  needs: ["group"],
  excludes: [],
  off: { method: "rke", scale: 0, width: 0.7, until: 0.5 },
  at: ({ scale, width, until }, place) =>
    scale === 0 || !isEarly(place, until) ? null : { hook: { kind: "rke", scale, width } },
};

/**
 * x_i + s n b² ∂/∂x_i H with H = −log (Σ_ij k_ij² / n²), k_ij = exp(−d_ij² / (2 b²)), b² = width² · median of d². That is
 * x_i + 4 s n Σ_j k_ij² (x_i − x_j) / Σ k². Among samples of one prompt the paper's kernel of prompts is 1. n × [1, C, h, w] → the same.
 */
export function rke({ scale, width }: RkeHook, group: readonly FloatTensor[]): FloatTensor[] {
  const n = group.length;
  const squared = squaredDistances(group);
  const bandwidth = width ** 2 * medianDistance(squared);
  if (n < 2 || bandwidth === 0) return [...group];
  const squares = squared.map((row) => row.map((d) => Math.exp(-d / bandwidth)));
  const total = squares.reduce((sum, row) => row.reduce((a, b) => a + b, sum), 0);
  return apart(
    group,
    squares.map((row) => row.map((k) => (4 * scale * n * k) / total)),
  );
}
