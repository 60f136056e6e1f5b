/** Evaluates images with CLIP and, if present, an attribute classifier. The instruments are opened elsewhere. */
import type { AttributeClassifier, AttributeProbabilities, AttributeValues, ClipScorer } from "../instruments/index.js";
import type { RgbImage } from "../tensor/index.js";
import { attributesOf } from "./attributes.js";
import { clipScore } from "./clip-score.js";
import { attributeFinder } from "./phrases.js";

export interface Evaluator {
  readonly clip: ClipScorer;
  readonly classifier: AttributeClassifier | null;
}

/** Features, scores and predictions of images; outer index: prompt, inner index: image. */
export interface Reading {
  readonly prompts: readonly string[];
  /** CLIP image features, [P]. */
  readonly features: readonly (readonly Float32Array[])[];
  /** CLIP score of image and prompt, 0…100. */
  readonly clipScores: readonly (readonly number[])[];
  /** Null without a classifier. */
  readonly attributes: AttributeReading | null;
}

export interface AttributeReading {
  /** Names of all attributes. */
  readonly all: readonly string[];
  /** Attributes named in each prompt, with their values. */
  readonly named: readonly AttributeValues[];
  /** Predicted value of every attribute. */
  readonly predicted: readonly (readonly AttributeValues[])[];
  /** Probabilities of the values of every attribute. */
  readonly probabilities: readonly (readonly AttributeProbabilities[])[];
  /** Numeric predictions of the classifier, such as the strength of a smile. */
  readonly numbers: readonly (readonly Readonly<Record<string, number>>[])[];
  /** Features of the classifier, [D]. */
  readonly features: readonly (readonly Float32Array[])[];
}

/** Evaluates images[p][i], image i of prompt p. */
export async function evaluate(
  { clip, classifier }: Evaluator,
  images: readonly (readonly RgbImage[])[],
  prompts: readonly string[],
): Promise<Reading> {
  const features: Float32Array[][] = [];
  const clipScores: number[][] = [];
  const classified = [];
  for (const [p, prompt] of prompts.entries()) {
    const own = images[p] ?? [];
    const text = await clip.text(prompt);
    const found = await clip.images(own);
    features.push(found);
    clipScores.push(found.map((f) => clipScore(f, text)));
    if (classifier) classified.push(await classifier.classify(own));
  }
  const known = classifier && attributesOf(classifier);
  const attributes = known && {
    all: known.map((a) => a.name),
    named: prompts.map(attributeFinder(known)),
    predicted: classified.map((own) => own.map((c) => c.attributes)),
    probabilities: classified.map((own) => own.map((c) => c.probabilities)),
    numbers: classified.map((own) => own.map((c) => c.numbers)),
    features: classified.map((own) => own.map((c) => c.features)),
  };
  return { prompts, features, clipScores, attributes };
}
