/** Opens the instruments that evaluate a pair's images. */
import type { Evaluator } from "../evaluation/index.js";
import type { OpenedPair } from "./bind.js";
import { openClassifier, openClip } from "./instruments.js";

/** Opens the CLIPModel folder `clip`, or the pair's own, and the pair's attribute classifier. Null without a CLIP. */
export async function openEvaluator(
  { row, engine, lookup }: Pick<OpenedPair, "row" | "engine" | "lookup">,
  clip?: string,
): Promise<Evaluator | null> {
  const ref = clip ?? row?.clip ?? null;
  if (ref === null) return null;
  return {
    clip: await openClip(ref, engine.runtime, lookup),
    classifier: row?.judge ? await openClassifier(row.judge, engine.runtime, lookup) : null,
  };
}
