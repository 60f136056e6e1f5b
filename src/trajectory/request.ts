/** Fields of a trace request. */
import { z } from "zod";
import type { ChoiceField, GenerateRequest } from "../generate/index.js";
import type { Mode } from "../sampling/index.js";
import { grouped, type InputOf, option } from "../schema/index.js";

export const PREVIEWS = ["vae", "taesd", "rgb"] as const;
export type PreviewKind = (typeof PREVIEWS)[number];

export const traceFields = grouped("task", {
  fullSteps: option(z.int({ error: "expected an integer, at least 1" }).min(1), {
    flag: "--full-steps <n>",
    about: "number of steps of the base alone (default: the pair's)",
  }),
  preview: option(z.enum(PREVIEWS), {
    flag: "--preview <kind>",
    about: "previews of latents by the decoder (vae), a TAESD (taesd), or a linear map to RGB (rgb) (default: vae)",
  }),
  taesd: option(z.string(), { flag: "--taesd <ref>", about: "TAESD for --preview taesd" }),
  watch: option(z.array(z.string()), {
    flag: "--watch <phrase>",
    about: "mark steps at which this phrase vanishes from x0 or appears late (repeatable)",
    repeatable: true,
    read: (phrase) => phrase,
  }),
  causal: option(z.boolean(), { flag: "--no-causal", about: "skip the runs in which the base runs a single row" }),
  clip: option(z.string(), { flag: "--clip <ref>", about: "CLIPModel folder (default: the pair's)" }),
} as const);

/**
 * Request to trace one prompt. Defaults: `modes` all three if the pair has a distilled model, else base; `preview` "vae"; `causal` (runs
 * in which the base runs a single row) true if there is a distilled model; `clip` the pair's.
 */
export interface TraceRequest
  extends Omit<GenerateRequest, "prompts" | "mode" | "samples" | ChoiceField>,
    InputOf<typeof traceFields> {
  readonly prompt: string;
  readonly modes?: readonly Mode[];
}
