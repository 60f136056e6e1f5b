/** The fields of a request to trace. */
import { z } from "zod";
import type { GenerateRequest } from "../generate/index.js";
import type { Mode } from "../sampling/index.js";
import { type InputOf, option } from "../schema/index.js";
import { PREVIEWS } from "./preview.js";

export const traceFields = {
  fullSteps: option(z.int({ error: "expected a whole number, at least 1" }).min(1), {
    flag: "--full-steps <n>",
    about: "steps of the base when it runs alone (default: the pair's)",
  }),
  preview: option(z.enum(PREVIEWS), {
    flag: "--preview <kind>",
    about: "how latents are shown: the whole decoder, a TAESD, or a linear map to colours (default: vae)",
  }),
  taesd: option(z.string(), { flag: "--taesd <ref>", about: "a TAESD folder, for --preview taesd" }),
  watch: option(z.array(z.string()), {
    flag: "--watch <phrase>",
    about: "mark where this is seen and dropped (repeatable)",
    repeatable: true,
    read: (phrase) => phrase,
  }),
  causal: option(z.boolean(), { flag: "--no-causal", about: "leave out the runs that give single rows to the base" }),
  clip: option(z.string(), { flag: "--clip <ref>", about: "a CLIPModel folder (default: the pair's own)" }),
} as const;

/**
 * A request to trace one prompt. `modes` defaults to all three where the pair has a distilled model, `preview` to "vae", `causal` (runs
 * that give single rows to the base) to true where there is a distilled model, `clip` to the pair's own.
 */
export interface TraceRequest
  extends Omit<GenerateRequest, "prompts" | "mode" | "samples">,
    InputOf<typeof traceFields> {
  readonly prompt: string;
  readonly modes?: readonly Mode[];
}
