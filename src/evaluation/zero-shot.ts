/** Zero-shot classification of attributes with CLIP: each value has a text, and the similarity to the texts gives probabilities. */
import type { AttributeProbabilities, ClipScorer } from "../instruments/index.js";
import { fittedScale, valueProbabilities } from "../metrics/index.js";
import { freeInformation } from "./attributes.js";
import { type NounAttribute, openAttributes } from "./nouns.js";

/** Attribute with a text that names each value. */
export type PromptedAttribute = NounAttribute & { readonly texts: readonly string[] };

/** Predicts the values of one attribute. */
export interface ZeroShot {
  /** Probabilities of the values [n][values] for CLIP features of images [n][d]. */
  probabilities(images: readonly Float32Array[]): number[][];
  /** Inverse temperature that fits labelled images best, at most CLIP's own (see `fittedScale`). labels: index of the true value. */
  fittedScale(images: readonly Float32Array[], labels: readonly number[]): number;
  /** The same predictor at another inverse temperature. */
  at(scale: number): ZeroShot;
  /** Inverse temperature. */
  readonly scale: number;
}

/** Attributes, with their predictors by name. */
export interface AttributePredictors {
  readonly attributes: readonly PromptedAttribute[];
  readonly predictors: ReadonlyMap<string, ZeroShot>;
}

/** Creates a predictor of each attribute, by name. Without fitting, it has the inverse temperature that CLIP was trained with. */
export async function zeroShot(
  clip: Pick<ClipScorer, "text" | "logitScale">,
  attributes: readonly PromptedAttribute[],
): Promise<ReadonlyMap<string, ZeroShot>> {
  const scale = await clip.logitScale();
  const found = new Map<string, ZeroShot>();
  for (const { name, texts } of attributes) {
    const textFeatures: Float32Array[] = [];
    for (const text of texts) textFeatures.push(await clip.text(text));
    found.set(name, predictor(textFeatures, scale));
  }
  return found;
}

function predictor(texts: readonly Float32Array[], scale: number): ZeroShot {
  const at = (images: readonly Float32Array[], s: number) => valueProbabilities(images, texts, s);
  return {
    scale,
    probabilities: (images) => at(images, scale),
    fittedScale: (images, labels) => fittedScale((s) => at(images, s), labels, scale),
    at: (other) => predictor(texts, other),
  };
}

/** Probabilities of every attribute [prompts][images]. features: CLIP features of the images. */
export function predictAttributes(
  features: readonly (readonly Float32Array[])[],
  predictors: ReadonlyMap<string, ZeroShot>,
): AttributeProbabilities[][] {
  return features.map((own) => {
    const columns = [...predictors].map(([name, of]) => [name, of.probabilities(own)] as const);
    return own.map((_, i) => Object.fromEntries(columns.map(([name, p]) => [name, p[i] ?? []])));
  });
}

/**
 * Entropy of the attributes that each prompt leaves open, summed, in nats (see `freeInformation`) [prompts]; NaN for a prompt that leaves none
 * open, or with one image.
 * @param features CLIP features of the images [prompts][images][d]
 */
export function openInformation(
  features: readonly (readonly Float32Array[])[],
  prompts: readonly string[],
  { attributes, predictors }: AttributePredictors,
): number[] {
  const open = openAttributes(attributes);
  return predictAttributes(features, predictors).map((images, p) => {
    const names = open(prompts[p] ?? "").map((a) => a.name);
    return names.length === 0 ? Number.NaN : freeInformation(images, names);
  });
}
