/** Volume of a determinantal point process as guidance. Morshed and Boddeti 2025, "DiverseFlow" (arXiv 2504.07894), section 3, on x0. */
import { z } from "zod";
import type { FloatTensor } from "../../tensor/index.js";
import { solve } from "../elimination.js";
import { amount, isEarly, type Method, methodSchema } from "./method.js";
import { apart, medianDistance, squaredDistances } from "./pairwise.js";

export const dppSchema = methodSchema("dpp", {
  scale: amount(0.2, 0, 10, "strength of the gradient"),
  width: amount(1, 0.01, 100, "factor h in the exponent of the kernel"),
  until: amount(0.5, 0, 1, "share of the steps with it; at least the first"),
});
type Settings = z.output<typeof dppSchema>;

export const dppHookSchema = z.object({ kind: z.literal("dpp"), scale: z.number(), width: z.number() });
export type DppHook = z.output<typeof dppHookSchema>;

export const DPP: Method<Settings, DppHook> = {
  title: "volume of a determinantal point process",
  about: "increases the volume that the predicted images of a prompt span",
  acts: "x0",
  calls: "none",
  suits: "all; the first steps",
  source: "Morshed and Boddeti 2025 (DiverseFlow), arXiv 2504.07894",
  needs: ["group"],
  excludes: [],
  off: { method: "dpp", scale: 0, width: 1, until: 0.5 },
  at: ({ scale, width, until }, place) =>
    scale === 0 || !isEarly(place, until) ? null : { hook: { kind: "dpp", scale, width } },
};

/** Added to the diagonal of the kernel: two equal samples have no inverse. */
const JITTER = 1e-6;

/**
 * x_i + s m ∂/∂x_i [log det L − log det (L + I)] with L_ij = exp(−h d_ij² / (2 m)), m the median of the squared distances, held constant. With
 * G = L⁻¹ − (L + I)⁻¹ that is x_i − 2 s h Σ_j G_ij L_ij (x_i − x_j). n × [1, C, h, w] → the same.
 */
export function dpp({ scale, width }: DppHook, group: readonly FloatTensor[]): FloatTensor[] {
  const n = group.length;
  const squared = squaredDistances(group);
  const median = medianDistance(squared);
  if (n < 2 || median === 0) return [...group];
  const kernel = squared.map((row) => row.map((d) => Math.exp((-width * d) / (2 * median))));
  const [one, two] = [inverse(kernel, JITTER), inverse(kernel, 1 + JITTER)];
  return apart(
    group,
    kernel.map((row, i) => row.map((l, j) => -2 * scale * width * l * ((one[i]?.[j] ?? 0) - (two[i]?.[j] ?? 0)))),
  );
}

/** (a + shift · I)⁻¹. */
const inverse = (a: readonly (readonly number[])[], shift: number): number[][] =>
  solve(
    a.map((row, i) => row.map((v, j) => (i === j ? v + shift : v))),
    a.map((row, i) => row.map((_, j) => (i === j ? 1 : 0))),
  );
