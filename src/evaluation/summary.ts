/** Measures of what was read off the images of one model, and how much of another model's diversity they keep. */
import { distancePerPrompt, type Estimate, meanEstimate, pairwiseDistance, ratioEstimate } from "../metrics/index.js";
import { attributeAccuracy, freeAttributes, freeEntropy } from "./attributes.js";
import type { AttributeReading, Reading } from "./evaluator.js";

export interface Summary {
  /** Mean pairwise cosine distance of CLIP features between the images of a prompt. */
  readonly distance: Estimate;
  /** Mean CLIP score of image and prompt. */
  readonly clipScore: Estimate;
  readonly attributes?: {
    /** The same distance in the classifier's features. */
    readonly distance: Estimate;
    /** Share of the named attributes that images show as named; null when no prompt names one. */
    readonly accuracy: Estimate | null;
    /** Entropy of the attributes that a prompt leaves free, summed, in nats. */
    readonly entropy: Estimate;
  };
}

export function summarise({ features, clipScores, attributes }: Reading): Summary {
  const numbers = { distance: pairwiseDistance(features), clipScore: meanEstimate(clipScores) };
  if (!attributes) return numbers;
  const { named, predicted } = attributes;
  const accuracy = meanEstimate(predicted.map((images, p) => attributeAccuracy(images, named[p] ?? {})));
  return {
    ...numbers,
    attributes: {
      distance: pairwiseDistance(attributes.features),
      accuracy: accuracy.n === 0 ? null : accuracy,
      // Entropy belongs to the images of a prompt together: only prompts can be resampled.
      entropy: meanEstimate(entropyPerPrompt(attributes).map((h) => [h])),
    },
  };
}

/** Diversity of one model as a share of another's, over the same prompts. */
export interface KeptDiversity {
  readonly distance: Estimate;
  readonly attributes?: { readonly distance: Estimate; readonly entropy: Estimate };
}

/** The diversity of `a` as a share of that of `b`. */
export function keptDiversity(a: Reading, b: Reading): KeptDiversity {
  const distance = ratioEstimate(distancePerPrompt(a.features), distancePerPrompt(b.features));
  if (!a.attributes || !b.attributes) return { distance };
  return {
    distance,
    attributes: {
      distance: ratioEstimate(distancePerPrompt(a.attributes.features), distancePerPrompt(b.attributes.features)),
      entropy: ratioEstimate(entropyPerPrompt(a.attributes), entropyPerPrompt(b.attributes)),
    },
  };
}

/** Entropy of each prompt's free attributes, in nats [prompts]. */
const entropyPerPrompt = ({ all, named, predicted }: AttributeReading): number[] =>
  predicted.map((images, p) => freeEntropy(images, freeAttributes(all, named[p] ?? {})));
