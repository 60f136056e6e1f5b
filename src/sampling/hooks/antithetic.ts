/** Antithetic initial noise: every second sample of a prompt gets the opposite of the one before it. */
import { z } from "zod";
import type { FloatTensor } from "../../tensor/index.js";
import { combine } from "../linear.js";
import { amount, type Method, methodSchema } from "./method.js";

export const antitheticSchema = methodSchema("antithetic", {
  strength: amount(1, 0, 1, "correlation of a pair, with the opposite sign"),
});
type Settings = z.output<typeof antitheticSchema>;

export const antitheticHookSchema = z.object({ kind: z.literal("antithetic"), strength: z.number().min(0).max(1) });
export type AntitheticHook = z.output<typeof antitheticHookSchema>;

export const ANTITHETIC: Method<Settings, AntitheticHook> = {
  title: "antithetic noise",
  about: "gives every second seed of a prompt the opposite of the noise of the seed before it",
  acts: "noise",
  calls: "none",
  suits: "all",
  source: "antithetic variates, Hammersley and Morton 1956",
  needs: ["group"],
  excludes: ["spread"],
  off: { method: "antithetic", strength: 0 },
  at: ({ strength }, { step }) => (step > 0 || strength === 0 ? null : { hook: { kind: "antithetic", strength } }),
};

/** z_{2k+1} ← −s z_{2k} + √(1 − s²) z_{2k+1}: standard normal for every s. n × [1, C, h, w] → the same. */
export const antithetic = ({ strength }: AntitheticHook, group: readonly FloatTensor[]): FloatTensor[] =>
  group.map((own, i) => {
    const before = i % 2 === 1 ? group[i - 1] : undefined;
    return before ? combine([-strength, before], [Math.sqrt(1 - strength ** 2), own]) : own;
  });
