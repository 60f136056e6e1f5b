/** CADS: noise on the prompt's embeddings that falls to zero during sampling. Sadat et al. 2024, "CADS: Unleashing the Diversity of Diffusion Models through Condition-Annealed Sampling" (arXiv 2310.17347). */
import { z } from "zod";
import { RequestError } from "../../errors.js";
import { type FloatTensor, float } from "../../tensor/index.js";
import { combine } from "../linear.js";
import { moments } from "../moments.js";
import { amount, type Method, methodSchema } from "./method.js";

export const cadsSchema = methodSchema("cads", {
  scale: amount(0.25, 0, 10, "scale s of the noise"),
  tau1: amount(0.6, 0, 1, "time below which the prompt is clean (1 is pure noise)"),
  tau2: amount(0.9, 0, 1, "time above which the prompt is noise"),
  mix: amount(1, 0, 1, "share ψ of the embeddings that get back the mean and deviation of the clean ones"),
});
type Settings = z.output<typeof cadsSchema>;

/** √γ y + s √(1 − γ) n for the embeddings y of a row. */
export const cadsHookSchema = z.object({
  kind: z.literal("cads"),
  gamma: z.number().min(0).max(1),
  scale: z.number(),
  mix: z.number(),
});
export type CadsHook = z.output<typeof cadsHookSchema>;

export const CADS: Method<Settings, CadsHook> = {
  title: "condition-annealed sampling",
  about: "adds noise to the embeddings of the prompt, less at every step",
  acts: "conditioning",
  calls: "none",
  suits: "all; made for 25 steps and more",
  source: "Sadat et al. 2024, arXiv 2310.17347",
  needs: [],
  excludes: [],
  off: { method: "cads", scale: 0, tau1: 0.6, tau2: 0.9, mix: 1 },
  at({ scale, tau1, tau2, mix }, { step, steps }) {
    if (tau1 > tau2) throw new RequestError(`cads: tau1 is ${tau1}, above tau2 ${tau2}; expected tau1 at most tau2`);
    const gamma = meanGamma(1 - (step + 1) / steps, 1 - step / steps, tau1, tau2);
    return scale === 0 || gamma === 1 ? null : { hook: { kind: "cads", gamma, scale, mix } };
  },
};

/**
 * Mean of γ(t) over a step's interval of time. γ is 1 below τ1, 0 above τ2, and (τ2 − t) / (τ2 − τ1) between them (eq. 3).
 * The paper takes γ at the start of a step, which in a run of four steps would leave the first one without a prompt; the mean
 * tends to the paper's value as steps get many.
 */
export function meanGamma(low: number, high: number, tau1: number, tau2: number): number {
  // ∫ γ from 0 to t.
  const integral = (t: number): number => {
    if (t <= tau1) return t;
    const up = Math.min(t, tau2);
    const ramp = tau2 === tau1 ? 0 : (tau2 * (up - tau1) - (up ** 2 - tau1 ** 2) / 2) / (tau2 - tau1);
    return tau1 + ramp;
  };
  return high <= tau1 ? 1 : Math.min(1, Math.max(0, (integral(high) - integral(low)) / (high - low)));
}

/**
 * Noisy embeddings: ŷ = √γ y + s √(1 − γ) n (eq. 4), given back the mean and deviation of y to the share ψ (eq. 5 and 6).
 * y, n [shape] → [shape].
 */
export function cads({ gamma, scale, mix }: CadsHook, y: FloatTensor, n: FloatTensor): FloatTensor {
  const noisy = combine([Math.sqrt(gamma), y], [scale * Math.sqrt(1 - gamma), n]);
  if (mix === 0) return noisy;
  const [clean, own] = [moments(y), moments(noisy)];
  const factor = own.deviation === 0 ? 1 : clean.deviation / own.deviation;
  const data = noisy.data.map((v) => mix * ((v - own.mean) * factor + clean.mean) + (1 - mix) * v);
  return float(y.shape, data);
}
