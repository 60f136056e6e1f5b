/** Fields of a slide request. */
import { z } from "zod";
import type { ChoiceField, GenerateRequest } from "../generate/index.js";
import type { Mode } from "../sampling/index.js";
import { grouped, type InputOf, option, required } from "../schema/index.js";

const MOST_SCALES = 101;

/** "-2..2:5" → five scales from −2 to 2; "0,0.5,1" → these three. */
function readScales(text: string): number[] | undefined {
  const [, from = "", to = "", n = ""] = /^([-+\d.]+)\.\.([-+\d.]+):(\d+)$/.exec(text) ?? [];
  const list =
    n === ""
      ? text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)))
      : Array.from({ length: Math.min(Number(n), MOST_SCALES + 1) }, (_, i) => {
          const at = Number(n) === 1 ? 0 : i / (Number(n) - 1);
          return Number((Number(from) + at * (Number(to) - Number(from))).toPrecision(12));
        });
  if (list.length === 0 || list.length > MOST_SCALES || !list.every(Number.isFinite)) return undefined;
  return [...new Set(list)];
}

export const slideFields = grouped("task", {
  slider: required(z.string().min(1), {
    flag: "--slider <file>",
    about: "slider or LoRA, trained on either model",
  }),
  scales: option(z.array(z.number()).min(1, "expected at least one scale"), {
    flag: "--scales <list>",
    about: "scales, such as -2..2:5 (from, to, number) or 0,0.5,1 (default: -2..2:5)",
    read: readScales,
    expected: 'scales such as "-2..2:5" (from, to, number) or "0,0.5,1"',
  }),
  concept: option(z.string().min(1), {
    flag: "--concept <text>",
    about: "text of the slider's concept, for its CLIP score",
  }),
  clip: option(z.string(), {
    flag: "--clip <ref>",
    about: "CLIPModel for the measures, or none (default: the pair's, else a small one from the Hub)",
  }),
} as const);

/**
 * Request to run one prompt at every scale of a slider. Defaults: `modes` all three if the pair has a distilled model, else base; `clip` the
 * pair's.
 */
export interface SlideRequest
  extends Omit<GenerateRequest, "prompts" | "mode" | "samples" | ChoiceField>,
    Pick<InputOf<typeof slideFields>, "concept" | "clip"> {
  readonly prompt: string;
  /** Reference to the adapter, as for `--lora`. */
  readonly slider: string;
  readonly scales: readonly number[];
  readonly modes?: readonly Mode[];
  readonly allowUnmatched?: boolean;
}
