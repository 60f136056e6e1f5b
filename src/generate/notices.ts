/** What a request asks for without effect, and what had to be guessed for it, as sentences. */
import { isTwoSided, type Plan } from "../sampling/index.js";
import { counted } from "../tensor/index.js";
import { uncalibrated } from "./calibrated.js";
import type { Pair } from "./pair.js";
import type { PlanSource } from "./plan-source.js";
import { settingsFor } from "./planning.js";
import { unknownWords, unnamedInversions, unreadMarkup } from "./prompt-notices.js";
import type { GenerateRequest } from "./request.js";
import { unusedFields } from "./unused.js";

/** What the sentences are about: a pair, a request, and the plan made of them. */
interface Asked {
  readonly pair: PlanSource & Pick<Pair, "base" | "distilled" | "text">;
  readonly request: GenerateRequest;
  readonly plan: Plan;
}

/** A sentence about a request, or null where there is nothing to say. */
type Notice = (asked: Asked) => string | null;

/** Models that take the guidance scale as an input compute no unconditional prediction without true guidance, so a negative prompt is not read. */
const unguidedNegative: Notice = ({ pair, request, plan }) => {
  const readsNegative = (row: Plan["rows"][number]) =>
    row.kind === "step" && isTwoSided(row, pair[row.model]?.denoiser.embedsGuidance === true);
  if (!request.negative || plan.rows.some(readsNegative)) return null;
  return "the negative prompt has no effect in this run: it is read only by steps with classifier-free guidance (--guidance above 1; --true-guidance for a model that takes the guidance scale as an input)";
};

/** Number of pairs to name in a notice. */
const NAMED = 5;

/** A distilled model that was not recognised, and has no scheduler config, runs on the base's schedule; null for any other. */
export function guessedSchedule(pair: PlanSource, request: GenerateRequest): string | null {
  const { distilled } = settingsFor(pair, request);
  const { scheduler, steps, timesteps } = distilled ?? {};
  const known = pair.row ?? pair.distilled?.known;
  if (scheduler?.from !== "base" || timesteps?.from === "option" || known) return null;
  const { suggestions = [] } = pair;
  const such = suggestions.length > 0 ? ` (${suggestions.slice(0, NAMED).join(", ")}, …)` : "";
  return `no schedule is known for ${pair.distilled?.ref}: it runs ${counted(steps?.value ?? 0, "step")} of the base's ${scheduler.value}, which is a guess. --pair takes the schedule of a named pair${such}; --scheduler and --timesteps set it`;
}

const NOTICES: readonly Notice[] = [
  unguidedNegative,
  ({ pair, request }) => guessedSchedule(pair, request),
  ({ pair, request }) => uncalibrated(pair, request),
];

/** Sentences to show at the start of a run. */
export const noticesOf = (asked: Asked): string[] => [
  ...NOTICES.flatMap((notice) => notice(asked) ?? []),
  ...unusedFields(asked),
  ...unreadMarkup(asked.request),
  ...unknownWords(asked.pair, asked.request),
  ...unnamedInversions(asked.pair, asked.request),
];
