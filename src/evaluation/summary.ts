/** Mean measures of one model's images, and their diversity as a share of another model's. */
import {
  distancePerPrompt,
  type Estimate,
  meanEstimate,
  pairwiseDistance,
  ratioEstimate,
  within01,
} from "../metrics/index.js";
import { attributeAccuracy, freeAttributes, freeInformation } from "./attributes.js";
import type { AttributeReading, Reading } from "./evaluator.js";

export interface Summary {
  /** Mean pairwise cosine distance of CLIP features between the images of a prompt. */
  readonly distance: Estimate;
  /** Mean CLIP score of image and prompt. */
  readonly clipScore: Estimate;
  readonly attributes?: {
    /** Mean pairwise cosine distance of the classifier's features. */
    readonly distance: Estimate;
    /** Attribute accuracy: share of the named attributes with the named value; null when no prompt names one. */
    readonly accuracy: Estimate | null;
    /** Entropy of the attributes that a prompt does not name, summed, in nats (see `freeInformation`). */
    readonly entropy: Estimate;
  };
}

export function summarise({ features, clipScores, attributes }: Reading): Summary {
  const numbers = { distance: pairwiseDistance(features), clipScore: meanEstimate(clipScores) };
  if (!attributes) return numbers;
  const { named, predicted } = attributes;
  const accuracy = within01(meanEstimate(predicted.map((images, p) => attributeAccuracy(images, named[p] ?? {}))));
  return {
    ...numbers,
    attributes: {
      distance: pairwiseDistance(attributes.features),
      accuracy: accuracy.n === 0 ? null : accuracy,
      entropy: meanEstimate(entropyPerPrompt(attributes).map((h) => (Number.isNaN(h) ? [] : [h]))),
    },
  };
}

/** Diversity of one model as a share of another's, over the same prompts. */
export interface KeptDiversity {
  readonly distance: Estimate;
  readonly attributes?: { readonly distance: Estimate; readonly entropy: Estimate };
}

/** Diversity of `a` as a share of the diversity of `b`. */
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

/** Entropy of each prompt's free attributes, in nats [prompts]; NaN for a prompt with one image. */
const entropyPerPrompt = ({ all, named, probabilities }: AttributeReading): number[] =>
  probabilities.map((images, p) => freeInformation(images, freeAttributes(all, named[p] ?? {})));
