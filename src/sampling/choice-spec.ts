/** A choice among the samples of a prompt, as a row of a plan holds it. Data only. */
import { z } from "zod";

/** What is compared between samples: predicted clean latents, or the CLIP features of their decoded images. */
export const CHOOSE_BY = ["latents", "clip"] as const;

/** Choice after a step: of the samples of a prompt, those to keep. */
export const choiceSchema = z.object({
  of: z.int().min(2),
  keep: z.int().min(1),
  by: z.enum(CHOOSE_BY),
  /** Weight of how well a sample fits its prompt, beside the distances. */
  fit: z.number().min(0),
});
export type Choice = z.output<typeof choiceSchema>;
