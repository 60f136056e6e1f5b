/** What a request asks for without effect, and what had to be guessed for it, as sentences. */
import { isGuided, type Plan } from "../sampling/index.js";
import type { Pair } from "./pair.js";
import { unknownWords, unreadMarkup } from "./prompt-notices.js";
import type { GenerateRequest } from "./request.js";

/** What the sentences are about: a pair, a request, and the plan made of them. */
interface Asked {
  readonly pair: Pick<Pair, "base" | "distilled" | "text">;
  readonly request: GenerateRequest;
  readonly plan: Plan;
}

/** A sentence about a request, or null where there is nothing to say. */
type Notice = (asked: Asked) => string | null;

/** Models that take the guidance scale as an input compute no unconditional prediction, so a negative prompt is not read. */
const unguidedNegative: Notice = ({ pair, request, plan }) => {
  const readsNegative = (row: Plan["rows"][number]) =>
    row.kind === "step" && isGuided(row) && !pair[row.model]?.denoiser.embedsGuidance;
  if (!request.negative || plan.rows.some(readsNegative)) return null;
  return "the negative prompt has no effect in this run: it is read only by steps with classifier-free guidance (--guidance above 1)";
};

const NOTICES: readonly Notice[] = [unguidedNegative];

/** Sentences to show at the start of a run. */
export const noticesOf = (asked: Asked): string[] => [
  ...NOTICES.flatMap((notice) => notice(asked) ?? []),
  ...unreadMarkup(asked.request),
  ...unknownWords(asked.pair, asked.request),
];
