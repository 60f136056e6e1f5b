/** Commitment by attributes: how much of the final image the attribute classifier sees in x0 at each step. */
import { agreement, agreementAboveChance, attributeFinder, attributesOf, freeAttributes } from "../evaluation/index.js";
import type { AttributeClassifier, AttributeValues } from "../instruments/index.js";
import type { RgbImage } from "../tensor/index.js";

/**
 * Agreement, above chance, of the attributes that the prompt leaves free, between x0 at each step and the last x0 of the same seed [steps].
 * Null for fewer than two seeds, and where nothing is free; a step is null where all seeds agree with each other.
 * @param x0 images of x0 [seeds][steps]
 */
export async function agreementCurve(
  classifier: AttributeClassifier,
  prompt: string,
  x0: readonly (readonly RgbImage[])[],
): Promise<(number | null)[] | null> {
  const known = attributesOf(classifier);
  const free = freeAttributes(
    known.map((a) => a.name),
    attributeFinder(known)(prompt),
  );
  if (x0.length < 2 || free.length === 0) return null;
  const shown: AttributeValues[][] = [];
  for (const images of x0) shown.push((await classifier.classify(images)).map((c) => c.attributes));
  const finals = shown.map((steps) => steps.at(-1) ?? {});
  return (shown[0] ?? []).map((_, i) => {
    const step = shown.map((steps) => steps[i] ?? {});
    const value = agreementAboveChance(agreement(step, finals, free));
    return Number.isFinite(value) ? value : null;
  });
}
