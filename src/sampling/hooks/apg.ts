/** Adaptive projected guidance. Sadat et al. 2024, "Eliminating Oversaturation and Artifacts of High Guidance Scales in Diffusion Models" (arXiv 2410.02416), section 4 and algorithm 1. */
import { z } from "zod";
import { count, type FloatTensor } from "../../tensor/index.js";
import { combine } from "../linear.js";
import { amount, type Method, methodSchema } from "./method.js";

export const apgSchema = methodSchema("apg", {
  eta: amount(0, 0, 1, "share of the guidance along the prediction that is kept; 1 keeps all"),
  norm: amount(15, 0, 1e6, "largest norm of the guidance for latents of 4 × 128 × 128; 0 for no limit"),
  momentum: amount(-0.5, -1, 1, "weight β of the guidance of earlier steps"),
});
type Settings = z.output<typeof apgSchema>;

export const apgHookSchema = z.object({
  kind: z.literal("apg"),
  eta: z.number(),
  norm: z.number(),
  momentum: z.number(),
});
export type ApgHook = z.output<typeof apgHookSchema>;

export const APG: Method<Settings, ApgHook> = {
  title: "adaptive projected guidance",
  about: "keeps the part of the guidance that is orthogonal to the prediction, and limits its length",
  acts: "guidance",
  calls: "none beside those of guidance",
  suits: "models that run with guidance, at high scales",
  source: "Sadat et al. 2024, arXiv 2410.02416",
  needs: ["guidance"],
  excludes: [],
  off: { method: "apg", eta: 1, norm: 0, momentum: 0 },
  at({ eta, norm, momentum }, { guidance }) {
    if (guidance <= 1 || (eta === 1 && norm === 0 && momentum === 0)) return null;
    return { hook: { kind: "apg", eta, norm, momentum } };
  },
};

/** Number of values of SDXL's latents at 1024 px, for which the paper states its norms. */
const REFERENCE = 4 * 128 * 128;

/**
 * Guided x0: the difference D of both predictions, with β times that of the step before added, shortened to the largest norm r, and
 * split into parts along and orthogonal to the conditional prediction: x0 + (w − 1) (D⊥ + η D∥). r is scaled by the root of the number of
 * values, so that it means the same at every size. cond, uncond [1, C, h, w]: predictions of x0.
 * @param before momentum of the step before; null at the first
 */
export function apg(
  { eta, norm, momentum }: ApgHook,
  cond: FloatTensor,
  uncond: FloatTensor,
  guidance: number,
  before: FloatTensor | null,
): { readonly x0: FloatTensor; readonly momentum: FloatTensor } {
  const difference = combine([1, cond], [-1, uncond], ...(before ? [[momentum, before] as const] : []));
  const limit = norm * Math.sqrt(count(cond.shape) / REFERENCE);
  const length = Math.sqrt(dot(difference, difference));
  const shortened = norm > 0 && length > limit ? limit / length : 1;
  const squares = dot(cond, cond);
  const along = squares === 0 ? 0 : (shortened * dot(difference, cond)) / squares;
  // D⊥ + η D∥ = D − (1 − η) D∥, and D∥ = along · cond.
  const w = guidance - 1;
  const x0 = combine([1 - w * (1 - eta) * along, cond], [w * shortened, difference]);
  return { x0, momentum: difference };
}

const dot = (a: FloatTensor, b: FloatTensor): number => a.data.reduce((sum, v, i) => sum + v * (b.data[i] ?? 0), 0);
