/** Semantic measures: CLIP score, and the entropy and accuracy of attributes, predicted by CLIP or by an attribute classifier. */
import {
  type Attribute,
  attributeAccuracy,
  attributeFinder,
  attributesOf,
  clipScore,
  freeEntropy,
  largestEntropy,
  type PromptedAttribute,
  predictAttributes,
} from "../evaluation/index.js";
import type { AttributeClassifier, AttributeValues, ClipScorer } from "../instruments/index.js";
import { indices, mean, meanEstimate, pairwise, setEstimate } from "../metrics/index.js";
import { distanceOf } from "./diversity.js";
import { extractFeatures, type MeasureOptions } from "./features.js";
import type { Group } from "./folder.js";
import { type FolderMeasures, few, type Measure, measured, orNull, pick, type Sample } from "./result.js";

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
      warnings: [guessed > 0 && `${guessed} prompts are taken from names of files and folders`],
    }),
  ];
}

/** Predicted attributes of the images of each prompt, and the free attributes, which the prompt does not name. */
interface Predictions {
  readonly predicted: readonly (readonly AttributeValues[])[];
  readonly free: readonly (readonly Attribute[])[];
}

/** Attributes that each prompt does not name. */
function freeIn(groups: readonly Group[], attributes: readonly Attribute[]): Attribute[][] {
  const find = attributeFinder(attributes);
  return groups.map(({ prompt }) => {
    const named = find(prompt);
    return attributes.filter((a) => !(a.name in named));
  });
}

/** Entropy of the free attributes among `of`, over resampled images of a prompt; NaN without free attributes, or for one image. */
const entropyOf =
  ({ predicted, free }: Predictions, of: (a: Attribute) => boolean, share: boolean) =>
  (p: number, at: readonly number[]): number => {
    const own = (free[p] ?? []).filter(of);
    if (own.length === 0 || at.length < 2) return Number.NaN;
    const names = own.map((a) => a.name);
    return freeEntropy(pick(predicted[p] ?? [], at), names) / (share ? largestEntropy(own) : 1);
  };

function entropyMeasure(
  predictions: Predictions,
  sample: Sample,
  draft: { id: string; about: string; of?: (a: Attribute) => boolean; share: boolean; warnings?: (string | false)[] },
): Measure {
  const { of = () => true, share, ...facts } = draft;
  const sizes = predictions.predicted.map((own) => own.length);
  const statistic = entropyOf(predictions, of, share);
  return measured(sample, {
    ...facts,
    kind: "semantic",
    better: "higher",
    value: setEstimate(sizes, statistic),
    perPrompt: sizes.map((n, p) => orNull(statistic(p, indices(n)))),
  });
}

/** Entropy of the free attributes, by zero-shot classification with CLIP. */
export async function zeroShotEntropy(
  clip: ClipScorer,
  features: readonly (readonly Float32Array[])[],
  groups: readonly Group[],
  attributes: readonly PromptedAttribute[],
  sample: Sample,
): Promise<{ measures: Measure[]; counts: FolderMeasures["attributes"] }> {
  if (attributes.length === 0) return { measures: [], counts: [] };
  const predictions = {
    predicted: await predictAttributes(clip, features, attributes),
    free: freeIn(groups, attributes),
  };
  const largest = Math.max(...attributes.map((a) => a.values.length));
  const all = entropyMeasure(predictions, sample, {
    id: "attributes.entropy",
    about: "entropy of the attributes that a prompt does not name, as a share of the maximum, predicted by CLIP",
    share: true,
    warnings: [
      few(
        sample,
        5 * largest,
        `entropy over ${largest} values is biased downwards; compare only sets of the same size`,
      ),
    ],
  });
  const each = attributes.map((a) =>
    entropyMeasure(predictions, sample, {
      id: `attributes.${a.name}`,
      about: `entropy of ${a.name}, nats (at most ${largestEntropy([a]).toFixed(2)}), over the prompts that do not name it`,
      of: ({ name }) => name === a.name,
      share: false,
    }),
  );
  return {
    measures: [all, ...each.filter((m) => m.perPrompt?.some((v) => v !== null))],
    counts: attributes.map((a) => ({ name: a.name, shown: countsOf(a, predictions) })),
  };
}

/** Counts of each value, over the prompts that do not name the attribute. */
function countsOf({ name, values }: Attribute, { predicted, free }: Predictions): Record<string, number> {
  const counts = Object.fromEntries(values.map((v) => [String(v), 0]));
  for (const [p, own] of predicted.entries()) {
    if (!free[p]?.some((a) => a.name === name)) continue;
    for (const image of own) counts[String(image[name])] = (counts[String(image[name])] ?? 0) + 1;
  }
  return counts;
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
  const entropy = entropyMeasure({ predicted, free: freeIn(groups, attributes) }, sample, {
    id: "classifier.entropy",
    about:
      "entropy of the attributes that a prompt does not name, as a share of the maximum, predicted by the classifier",
    share: true,
    warnings: [few(sample, 40, "entropy over 8 values is biased downwards; compare only sets of the same size")],
  });
  const find = attributeFinder(attributes);
  const hits = groups.map(({ prompt }, p) => attributeAccuracy(predicted[p] ?? [], find(prompt)));
  const accuracy = measured(sample, {
    id: "classifier.accuracy",
    about: "attribute accuracy: share of the named attributes with the named value",
    kind: "adherence",
    better: "higher",
    value: meanEstimate(hits),
    perPrompt: hits.map((h) => orNull(mean(h))),
  });
  return [
    ...(features.some((f) => f.length > 1) ? [distance] : []),
    entropy,
    ...(hits.some((h) => h.length > 0) ? [accuracy] : []),
  ];
}
