/** Measures as a share of those of the base's images for the same prompts: what the model causes, apart from what the prompts cause. */
import { type Estimate, ratioEstimate } from "../metrics/index.js";
import type { FolderMeasures, Measure } from "./result.js";

/** Kinds of measures with a share; not those against a reference, which is a share already. */
const SHARED: readonly Measure["kind"][] = ["diversity", "semantic"];

/**
 * Adds each measure's share of the base's. A measure with values by prompt is compared over the prompts of both folders, with an interval;
 * another, such as the entropy caused by prompts, only where both folders have the same prompts.
 */
export function withShares(measures: FolderMeasures, base: FolderMeasures): FolderMeasures {
  const own = measures.prompts.map((p) => p.prompt);
  const other = base.prompts.map((p) => p.prompt);
  const same = own.length === other.length && own.every((prompt) => other.includes(prompt));
  const shareOf = (m: Measure): Estimate | null => {
    const of = base.measures.find((b) => b.id === m.id);
    if (!of || !SHARED.includes(m.kind) || m.reference !== undefined) return null;
    if (!m.perPrompt || !of.perPrompt)
      return same ? { mean: m.value.mean / of.value.mean, low: null, high: null, n: own.length } : null;
    const values = own.map((_, p) => m.perPrompt?.[p] ?? Number.NaN);
    const bases = own.map((prompt) => of.perPrompt?.[other.indexOf(prompt)] ?? Number.NaN);
    return ratioEstimate(values, bases);
  };
  return {
    ...measures,
    measures: measures.measures.map((m) => {
      const share = shareOf(m);
      return share && Number.isFinite(share.mean) ? { ...m, share } : m;
    }),
  };
}
