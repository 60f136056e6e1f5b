/** The result of a comparison in sentences: how much of the base's variety the other models keep, and how it was measured. */
import type { Variety, VarietyMeasure } from "../evaluation/index.js";
import { type Estimate, FEWEST } from "../metrics/index.js";
import { counted } from "../tensor/index.js";

/** What is compared: the varieties of distilled model and hybrid, and the sample. */
export interface Compared {
  /** Number of steps of the distilled model. */
  readonly steps: number;
  readonly distilled: Variety;
  readonly hybrid: Variety;
  /** Shares of the two by latents; null where they are not measured. */
  readonly latents?: readonly [distilled: Estimate | null, hybrid: Estimate | null];
  readonly prompts: number;
  readonly seeds: number;
}

const NUMBERS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight"];
const MEASURES: { readonly [M in VarietyMeasure]: string } = {
  clip: "CLIP distance",
  pixels: "pixel distance",
  latents: "latent distance",
};
/** What a reader should know of a measure. */
const LIMITS: { readonly [M in VarietyMeasure]: string } = {
  clip: "",
  pixels: " Pixels show changes of layout and colour, not of content: a CLIP does (--clip).",
  latents: "",
};

/** The measure of variety, as the head of a column and in sentences. */
export const measureName = (measure: VarietyMeasure): string => MEASURES[measure];

/** "60 %". */
export const percent = (share: number): string => `${Math.round(100 * share)} %`;

/** Whether the interval says that a share differs from 1; null without an interval. */
const differs = ({ low, high }: Estimate): boolean | null =>
  low === null || high === null ? null : low > 1 || high < 1;

function part(subject: string, share: Estimate): string {
  const verb = share.mean > 1.005 ? "has" : "keeps";
  const noise = differs(share) === false ? " (no difference from the base beyond noise)" : "";
  return `${subject} ${verb} ${percent(share.mean)}${noise}`;
}

/**
 * The finding in one sentence, then how variety was measured and what the numbers do not say.
 * @example ["The four-step model keeps 60 % of the base's variety; the hybrid keeps 100 % (no difference from the base beyond noise).", …]
 */
export function findingOf({ steps, distilled, hybrid, latents = [null, null], prompts, seeds }: Compared): string[] {
  const { measure } = distilled;
  if (seeds < 2)
    return ["Variety is not measured: one seed has no distance. Two or more seeds, such as --seeds 0-7, do."];
  const [a, b] = [distilled.share, hybrid.share];
  if (!a || !b)
    return [`The base's images of a prompt are all equal by ${MEASURES[measure]}: there is no variety to compare.`];
  const of = `the ${counted(seeds, "image")} of ${prompts === 1 ? "the prompt" : "each prompt"}`;
  const first = part(`The ${NUMBERS[steps] ?? steps}-step model`, a).replace(" %", " % of the base's variety");
  return [
    `${first}; ${part("the hybrid", b)}.`,
    `Variety: mean ${MEASURES[measure]} between ${of}${prompts > 1 ? `, mean over ${counted(prompts, "prompt")}` : ""}. ${limits(prompts)}${LIMITS[measure]}${byLatents(measure, latents)}`,
  ];
}

/** The shares by latents, beside those by pixels. */
function byLatents(measure: VarietyMeasure, [distilled, hybrid]: NonNullable<Compared["latents"]>): string {
  if (measure !== "pixels") return "";
  if (!distilled || !hybrid) return " Latents are not compared: images that --resume kept have none.";
  return ` By latents the shares are ${percent(distilled.mean)} and ${percent(hybrid.mean)}.`;
}

function limits(prompts: number): string {
  if (prompts >= FEWEST) return "Intervals are over prompts.";
  const those = prompts === 1 ? "this prompt" : "these prompts";
  return `With fewer than ${FEWEST} prompts these are means for ${those}, without an interval for others.`;
}
