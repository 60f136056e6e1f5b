/** Semantic measures: CLIP score, and the entropy and accuracy of attributes, predicted by CLIP or by an attribute classifier. */
import {
  type Attribute,
  type AttributePredictors,
  attributeAccuracy,
  attributeFinder,
  attributesOf,
  clipScore,
  freeInformation,
  largestInformation,
  likeliestValues,
  type NounAttribute,
  openAttributes,
  predictAttributes,
} from "../evaluation/index.js";
import type { AttributeClassifier, AttributeProbabilities, ClipScorer } from "../instruments/index.js";
import { indices, mean, meanEstimate, pairwise, setEstimate, valueCoverage, within01 } from "../metrics/index.js";
import { counted } from "../tensor/index.js";
import { distanceOf } from "./diversity.js";
import { extractFeatures, type MeasureOptions } from "./features.js";
import type { Group } from "./folder.js";

import { type FolderMeasures, few, type Measure, measured, orNull, type Sample } from "./result.js";

/** CLIP score of the images with a known prompt. */
export async function adherence(
  clip: ClipScorer,
  features: readonly (readonly Float32Array[])[],
  groups: readonly Group[],
  sample: Sample,
): Promise<Measure[]> {
  const scores: number[][] = [];
  for (const [p, { prompt }] of groups.entries()) {
    const text = prompt === "" ? null : await clip.text(prompt);
    scores.push(text ? (features[p] ?? []).map((f) => clipScore(f, text)) : []);
  }
  if (scores.every((own) => own.length === 0)) return [];
  const guessed = groups.filter((g) => g.promptSource === "folder" || g.promptSource === "name").length;
  return [
    measured(sample, {
      id: "clip.score",
      about: "CLIP score: 100 · max(cosine of image and prompt, 0)",
      kind: "adherence",
      better: "higher",
      value: meanEstimate(scores),
      perPrompt: scores.map((own) => orNull(mean(own))),
      warnings: [
        guessed > 0 && `${counted(guessed, "prompt is", "prompts are")} taken from names of files and folders`,
      ],
    }),
  ];
}

/** Probabilities of the attributes of each prompt's images, and the attributes that the prompt leaves open. */
interface Predictions {
  readonly probabilities: readonly (readonly AttributeProbabilities[])[];
  readonly open: readonly (readonly Attribute[])[];
}

const openIn = (groups: readonly Group[], attributes: readonly NounAttribute[]): Attribute[][] =>
  groups.map(({ prompt }) => openAttributes(attributes)(prompt));

interface EntropyDraft {
  readonly id: string;
  readonly about: string;
  /** Attributes that are summed; default all. */
  readonly of?: (a: Attribute) => boolean;
}

/** Entropy of the open attributes, over resampled images of a prompt; undefined without an open attribute, or for one image. */
function entropyMeasure(
  { probabilities, open }: Predictions,
  sample: Sample,
  { of = () => true, ...facts }: EntropyDraft,
): Measure {
  const sizes = probabilities.map((own) => own.length);
  const names = open.map((own) => own.filter(of).map((a) => a.name));
  const statistic = (p: number, at: readonly number[]): number => {
    const own = names[p] ?? [];
    return own.length === 0 ? Number.NaN : freeInformation(probabilities[p] ?? [], own, at);
  };
  const most = Math.max(2, ...open.flatMap((own) => own.filter(of).map((a) => a.values.length)));
  return measured(sample, {
    ...facts,
    kind: "semantic",
    better: "higher",
    value: setEstimate(sizes, statistic),
    perPrompt: sizes.map((n, p) => orNull(statistic(p, indices(n)))),
    warnings: [
      few(sample, 2 * most, `entropy over ${most} values is still biased; compare only sets of the same size`),
    ],
  });
}

/** Entropy of the open attributes, by zero-shot classification with CLIP. */
export function zeroShotEntropy(
  features: readonly (readonly Float32Array[])[],
  groups: readonly Group[],
  { attributes, predictors }: AttributePredictors,
  sample: Sample,
): { measures: Measure[]; counts: FolderMeasures["attributes"] } {
  if (attributes.length === 0) return { measures: [], counts: [] };
  const predictions = { probabilities: predictAttributes(features, predictors), open: openIn(groups, attributes) };
  const all = entropyMeasure(predictions, sample, {
    id: "attributes.entropy",
    about: `${INFORMATION} the attributes that a prompt leaves open, summed, by CLIP, nats`,
  });
  const each = attributes.map((a) =>
    entropyMeasure(predictions, sample, {
      id: `attributes.${a.name}`,
      about: `${INFORMATION} ${a.name}, nats (at most ${largestInformation([a]).toFixed(2)}), over the prompts that leave it open`,
      of: ({ name }) => name === a.name,
    }),
  );
  return {
    measures: [all, ...each].filter((m) => m.perPrompt?.some((v) => v !== null)),
    counts: attributes.map((a) => ({ name: a.name, shown: countsOf(a, predictions) })),
  };
}

/**
 * Coverage of the attributes' values in a reference with the same prompts: the share of the values that the reference shows for a prompt
 * which the images reach, and the share that as many images of the reference reach. Values are the likeliest ones.
 */
export function coverageMeasures(
  features: { readonly own: readonly (readonly Float32Array[])[]; readonly real: readonly (readonly Float32Array[])[] },
  groups: { readonly own: readonly Group[]; readonly real: readonly Group[] },
  { attributes, predictors }: AttributePredictors,
  sample: Sample,
): Measure[] {
  const [own, real] = [predictAttributes(features.own, predictors), predictAttributes(features.real, predictors)];
  const found = groups.own.map(({ prompt }, p) => {
    const at = groups.real.findIndex((g) => g.prompt === prompt);
    return openAttributes(attributes)(prompt).flatMap((a) => {
      const values = (read: readonly AttributeProbabilities[]) =>
        read.map((image) => likeliestValues(image, [a])[a.name]);
      return valueCoverage(values(own[p] ?? []), values(real[at] ?? [])) ?? [];
    });
  });
  if (found.every((prompt) => prompt.length === 0)) return [];
  const shared = found.filter((prompt) => prompt.length > 0).length;
  const reference = groups.real.reduce((n, g) => n + g.images.length, 0);
  const kinds = [
    ["coverage", "share of the values which the reference shows for a prompt that the images reach", "reached"],
    ["coverage-ceiling", "share of these values that as many images of the reference reach", "ceiling"],
  ] as const;
  return kinds.map(([id, about, key]) =>
    measured(sample, {
      id: `attributes.${id}`,
      about: `${about}, mean over open attributes`,
      kind: "semantic",
      better: id === "coverage" ? "higher" : "neither",
      value: meanEstimate(found.map((prompt) => (prompt.length > 0 ? [mean(prompt.map((c) => c[key]))] : []))),
      perPrompt: found.map((prompt) => orNull(mean(prompt.map((c) => c[key])))),
      reference,
      warnings: [shared < groups.own.length && `the reference has ${shared} of ${groups.own.length} prompts`],
    }),
  );
}

const INFORMATION = "entropy (mutual information with the images, corrected for their number) of";

/** Expected count of each value, over the prompts that leave the attribute open. */
function countsOf({ name, values }: Attribute, { probabilities, open }: Predictions): Record<string, number> {
  const images = probabilities.flatMap((own, p) => (open[p]?.some((a) => a.name === name) ? own : []));
  return Object.fromEntries(
    values.map((v, k) => [String(v), images.reduce((sum, image) => sum + (image[name]?.[k] ?? 0), 0)]),
  );
}

/** Distance of the classifier's features, entropy of the free attributes, and attribute accuracy, by an attribute classifier. */
export async function classifierMeasures(
  classifier: AttributeClassifier,
  groups: readonly Group[],
  sample: Sample,
  o: MeasureOptions,
): Promise<Measure[]> {
  const read = await extractFeatures(groups, "classifier", (images) => classifier.classify(images), o);
  const attributes = attributesOf(classifier);
  const predicted = read.map((own) => own.map((c) => c.attributes));
  const features = read.map((own) => own.map((c) => c.features));
  const matrices = features.map((f) => pairwise(f));
  const distance = distanceOf("classifier", matrices, "1 − cosine", sample);
  const probabilities = read.map((own) => own.map((c) => c.probabilities));
  const entropy = entropyMeasure({ probabilities, open: openIn(groups, attributes) }, sample, {
    id: "classifier.entropy",
    about: `${INFORMATION} the attributes that a prompt leaves open, summed, by the classifier, nats`,
  });
  const find = attributeFinder(attributes);
  const hits = groups.map(({ prompt }, p) => attributeAccuracy(predicted[p] ?? [], find(prompt)));
  const accuracy = measured(sample, {
    id: "classifier.accuracy",
    about: "attribute accuracy: share of the named attributes with the named value",
    kind: "adherence",
    better: "higher",
    value: within01(meanEstimate(hits)),
    perPrompt: hits.map((h) => orNull(mean(h))),
  });
  return [
    ...(features.some((f) => f.length > 1) ? [distance] : []),
    entropy,
    ...(hits.some((h) => h.length > 0) ? [accuracy] : []),
  ];
}
