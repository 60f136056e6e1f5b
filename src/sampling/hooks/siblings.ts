/** The other samples of a prompt as the negative prompt of each. */
import { z } from "zod";
import type { FloatTensor } from "../../tensor/index.js";
import { amount, isEarly, type Method, methodSchema } from "./method.js";
import { apart } from "./pairwise.js";

export const siblingsSchema = methodSchema("siblings", {
  scale: amount(0.2, 0, 10, "guidance scale less 1, away from the mean of the other samples"),
  until: amount(0.5, 0, 1, "share of the steps with it; at least the first"),
});
type Settings = z.output<typeof siblingsSchema>;

export const siblingsHookSchema = z.object({ kind: z.literal("siblings"), scale: z.number() });
export type SiblingsHook = z.output<typeof siblingsHookSchema>;

export const SIBLINGS: Method<Settings, SiblingsHook> = {
  title: "negative of siblings",
  about: "guides each image away from the mean of the predicted other images of its prompt",
  acts: "x0",
  calls: "none",
  suits: "all; the first steps",
  source:
    "own form: classifier-free guidance, Ho and Salimans 2022, with other samples in place of the negative prompt",
  needs: ["group"],
  excludes: [],
  off: { method: "siblings", scale: 0, until: 0.5 },
  at: ({ scale, until }, place) =>
    scale === 0 || !isEarly(place, until) ? null : { hook: { kind: "siblings", scale } },
};

/** x_i + s (x_i − mean of x_j over j ≠ i). n × [1, C, h, w] → the same. */
export function siblings({ scale }: SiblingsHook, group: readonly FloatTensor[]): FloatTensor[] {
  const weight = scale / (group.length - 1);
  return group.length < 2
    ? [...group]
    : apart(
        group,
        group.map(() => group.map(() => weight)),
      );
}
