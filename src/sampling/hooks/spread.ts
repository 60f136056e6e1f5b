/** Initial noise of a prompt's samples moved apart on the sphere, to the largest angle that all pairs can have. */
import { z } from "zod";
import type { FloatTensor } from "../../tensor/index.js";
import { combine } from "../linear.js";
import { amount, type Method, methodSchema } from "./method.js";

export const spreadSchema = methodSchema("spread", {
  strength: amount(1, 0, 1, "share of the samples' mean that is taken away; at 1 two seeds get opposite noise"),
});
type Settings = z.output<typeof spreadSchema>;

export const spreadHookSchema = z.object({ kind: z.literal("spread"), strength: z.number() });
export type SpreadHook = z.output<typeof spreadHookSchema>;

export const SPREAD: Method<Settings, SpreadHook> = {
  title: "noise spread over the sphere",
  about: "takes the mean of a prompt's initial noise away, so that its samples are farthest from each other",
  acts: "noise",
  calls: "none",
  suits: "all; small groups, since the angle of n samples grows by 1 / (n − 1)",
  source: "own form: the regular simplex, the largest least angle of n directions",
  needs: ["group"],
  excludes: ["antithetic"],
  off: { method: "spread", strength: 0 },
  at: ({ strength }, { step }) => (step > 0 || strength === 0 ? null : { hook: { kind: "spread", strength } }),
};

/**
 * z_i − s z̄, divided by √(1 − (2 s − s²) / n), so that each stays standard normal. At s = 1 the cosine of each pair is
 * −1 / (n − 1) on average, that of a regular simplex. n × [1, C, h, w] → the same; one sample alone stays as it is.
 */
export function spread({ strength }: SpreadHook, group: readonly FloatTensor[]): FloatTensor[] {
  const n = group.length;
  if (n < 2) return [...group];
  const scale = 1 / Math.sqrt(1 - (2 * strength - strength ** 2) / n);
  return group.map((own) => combine([scale, own], ...group.map((z) => [(-scale * strength) / n, z] as const)));
}
