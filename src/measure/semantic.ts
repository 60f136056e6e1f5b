/** Semantic measures: CLIP score to the prompt, and the attributes that images show, by CLIP or by an attribute classifier. */
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
import { extractFeatures, type MeasureOptions } from "./features.js";
import type { Group } from "./folder.js";
import { type FolderMeasures, few, type Measure, measured, orNull, pick, type Sample } from "./result.js";
import { distanceOf } from "./variety.js";

/** CLIP score of the pictures whose prompt is known. */
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
  const guessed = groups.filter((g) => g.told === "folder" || g.told === "name").length;
  return [
    measured(sample, {
      id: "clip.score",
      about: "CLIP score: 100 · max(cosine of picture and prompt, 0)",
      kind: "adherence",
      better: "higher",
      value: meanEstimate(scores),
      perPrompt: scores.map((own) => orNull(mean(own))),
      warnings: [guessed > 0 && `${guessed} prompts were guessed from names of files and folders`],
    }),
  ];
}

/** Predicted attributes of the pictures of each prompt, and the attributes that the prompt leaves free. */
interface Shown {
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

/** Entropy of the free attributes among `of`, over the pictures drawn of a prompt; NaN where it leaves none free, or one picture is drawn. */
const entropyOf =
  ({ predicted, free }: Shown, of: (a: Attribute) => boolean, share: boolean) =>
  (p: number, at: readonly number[]): number => {
    const own = (free[p] ?? []).filter(of);
    if (own.length === 0 || at.length < 2) return Number.NaN;
    const names = own.map((a) => a.name);
    return freeEntropy(pick(predicted[p] ?? [], at), names) / (share ? largestEntropy(own) : 1);
  };

function entropyMeasure(
  shown: Shown,
  sample: Sample,
  draft: { id: string; about: string; of?: (a: Attribute) => boolean; share: boolean; warnings?: (string | false)[] },
): Measure {
  const { of = () => true, share, ...words } = draft;
  const sizes = shown.predicted.map((own) => own.length);
  const statistic = entropyOf(shown, of, share);
  return measured(sample, {
    ...words,
    kind: "semantic",
    better: "higher",
    value: setEstimate(sizes, statistic),
    perPrompt: sizes.map((n, p) => orNull(statistic(p, indices(n)))),
  });
}

/** Entropy of the attributes that prompts leave free, as CLIP names them without training. */
export async function zeroShotEntropy(
  clip: ClipScorer,
  features: readonly (readonly Float32Array[])[],
  groups: readonly Group[],
  attributes: readonly PromptedAttribute[],
  sample: Sample,
): Promise<{ measures: Measure[]; shown: FolderMeasures["attributes"] }> {
  if (attributes.length === 0) return { measures: [], shown: [] };
  const shown = { predicted: await predictAttributes(clip, features, attributes), free: freeIn(groups, attributes) };
  const largest = Math.max(...attributes.map((a) => a.values.length));
  const all = entropyMeasure(shown, sample, {
    id: "attributes.entropy",
    about: "entropy of the attributes a prompt leaves free, as a share of the largest possible, named by CLIP",
    share: true,
    warnings: [
      few(sample, 5 * largest, `entropy over ${largest} values comes out too low; compare only with as many pictures`),
    ],
  });
  const each = attributes.map((a) =>
    entropyMeasure(shown, sample, {
      id: `attributes.${a.name}`,
      about: `entropy of ${a.name}, nats (at most ${largestEntropy([a]).toFixed(2)}), over the prompts that leave it free`,
      of: ({ name }) => name === a.name,
      share: false,
    }),
  );
  return {
    measures: [all, ...each.filter((m) => m.perPrompt?.some((v) => v !== null))],
    shown: attributes.map((a) => ({ name: a.name, shown: countsOf(a, shown) })),
  };
}

/** Counts of each value, over the prompts that leave the attribute free. */
function countsOf({ name, values }: Attribute, { predicted, free }: Shown): Record<string, number> {
  const counts = Object.fromEntries(values.map((v) => [String(v), 0]));
  for (const [p, own] of predicted.entries()) {
    if (!free[p]?.some((a) => a.name === name)) continue;
    for (const image of own) counts[String(image[name])] = (counts[String(image[name])] ?? 0) + 1;
  }
  return counts;
}

/** The same, and attribute accuracy, as the classifier of a world with known attributes predicts them: near the truth. */
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
    about: "entropy of the attributes a prompt leaves free, as a share of the largest possible, by the classifier",
    share: true,
    warnings: [few(sample, 40, "entropy over 8 values comes out too low; compare only with as many pictures")],
  });
  const find = attributeFinder(attributes);
  const hits = groups.map(({ prompt }, p) => attributeAccuracy(predicted[p] ?? [], find(prompt)));
  const accuracy = measured(sample, {
    id: "classifier.accuracy",
    about: "attribute accuracy: share of the attributes a prompt names that pictures show as named",
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
