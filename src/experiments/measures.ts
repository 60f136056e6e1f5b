/** Measures of an experiment's rows: an estimate with its interval, and a value for each prompt where it is defined. */
import {
  type Agreement,
  agreement,
  attributeAccuracy,
  clipScoreChange,
  commitment,
  freeAttributes,
  freeInformation,
  openInformation,
} from "../evaluation/index.js";
import type { AttributeValues } from "../instruments/index.js";
import {
  cosineDistance,
  distancePerPrompt,
  type Estimate,
  mean,
  meanEstimate,
  pairwiseDistance,
  type Replicates,
  ratioEstimate,
  replicatesOf,
  replicatesRatio,
  type Scale,
  vendi,
  within01,
} from "../metrics/index.js";
import { featuresBy, type ImageReading, type Kind, type Reference, type SampleSet } from "./sample-set.js";
import { SET_MEASURES } from "./set-measures.js";

const orNull = (e: Estimate): Estimate | null => (e.n === 0 ? null : e);

/** Mean pairwise cosine distance of the features of one instrument. */
const distance = (title: string, instrument: string): Kind => ({
  title,
  better: "more",
  digits: 3,
  perPrompt: (row) => distancePerPrompt(featuresBy(row, instrument) ?? []),
  estimate: (row) => orNull(pairwiseDistance(featuresBy(row, instrument) ?? [])),
});

/** Mean over images; values[p][i]. */
const ofImages = (
  title: string,
  better: Kind["better"],
  digits: number,
  values: (row: SampleSet) => readonly (readonly number[])[] | null,
  scale: Scale = "log",
): Kind => ({
  title,
  better,
  digits,
  perPrompt: (row) => (values(row) ?? []).map(mean),
  estimate: (row) => orNull(meanEstimate(values(row) ?? [], scale)),
});

/** Mean over values of prompts; those that are NaN are left out. */
const ofPrompts = (
  title: string,
  better: Kind["better"],
  digits: number,
  values: (row: SampleSet) => readonly number[] | null,
): Kind => ofImages(title, better, digits, (row) => values(row)?.map((v) => (Number.isNaN(v) ? [] : [v])) ?? null);

/** Pairs each image with the one of the same prompt and seed in the row `against`. */
function pairsOf({ images, against }: SampleSet): (readonly [ImageReading, ImageReading])[][] | null {
  if (!against) return null;
  return images.map((p, i) =>
    p.flatMap((own) => {
      const other = against.images[i]?.find((s) => s.seed === own.seed);
      return other ? [[own, other] as const] : [];
    }),
  );
}

/** Mean CLIP scores of each prompt in this row and in the row `against`, over the images that both have. */
function scorePairs(row: SampleSet): { own: number[]; other: number[] } {
  const pairs = (pairsOf(row) ?? []).filter((p) => p.length > 0);
  return {
    own: pairs.map((p) => mean(p.map(([own]) => own.clipScore))),
    other: pairs.map((p) => mean(p.map(([, other]) => other.clipScore))),
  };
}

const meanAt = (values: readonly number[], at: readonly number[]): number => mean(at.map((i) => values[i] ?? 0));

/** Numeric prediction of the classifier, or for "attribute=a|b" 1 if the attribute has one of the values, else 0; null if not predicted. */
function attributeValue({ attributes, numbers }: ImageReading, attribute: string): number | null {
  const [name = "", values] = attribute.split("=");
  if (values === undefined) return numbers?.[name] ?? null;
  const value = attributes?.[name];
  return value === undefined ? null : Number(values.split("|").includes(`${value}`));
}

/** Change of the row's attribute, by image. */
function attributeChanges(row: SampleSet): number[][] | null {
  const { attribute } = row;
  if (attribute === null) return null;
  const all = pairsOf(row)?.map((p) =>
    p.map(([a, b]) => [attributeValue(a, attribute), attributeValue(b, attribute)] as const),
  );
  if (!all || all.some((p) => p.some(([a, b]) => a === null || b === null))) return null;
  return all.map((p) => p.map(([a, b]) => (a ?? 0) - (b ?? 0)));
}

/** Predicted attributes of the images of each prompt; null without a classifier. */
const attributesIn = ({ images }: SampleSet): AttributeValues[][] | null => {
  const all = images.map((p) => p.flatMap((s) => (s.attributes ? [s.attributes] : [])));
  return all.every((p, i) => p.length === images[i]?.length) ? all : null;
};

/** Vendi score of the images of each prompt [prompts]; null without CLIP features. */
const vendis = (row: SampleSet): number[] | null => featuresBy(row, "clip")?.map((own) => vendi(own)) ?? null;

/** Hits of the attributes that each prompt names, 0 or 1 [prompts][images × named]. */
function accuracies(row: SampleSet): number[][] | null {
  const { named } = row;
  return named && (attributesIn(row)?.map((p, i) => attributeAccuracy(p, named[i] ?? {})) ?? null);
}

/** Entropy of the attributes that each prompt does not name, in nats [prompts]. */
function entropies(row: SampleSet): number[] | null {
  const shown = row.images.map((p) => p.flatMap((s) => (s.probabilities ? [s.probabilities] : [])));
  const complete = shown.every((p, i) => p.length === row.images[i]?.length && p.length > 1);
  if (row.named === null || !complete) return null;
  return shown.map((p, i) => freeInformation(p, freeAttributes(Object.keys(p[0] ?? {}), row.named?.[i] ?? {})));
}

/** Entropy of the attributes that each prompt leaves open, by CLIP, in nats [prompts]; NaN for a prompt that leaves none open. */
function openEntropies(row: SampleSet): number[] | null {
  const features = featuresBy(row, "clip");
  return row.predictors && features && openInformation(features, row.prompts, row.predictors);
}

/** Agreement of the free attributes of x0 at one step with the final images [prompts], where x0 was followed and classified. */
const agreements = ({ images, named }: SampleSet, step: number): Agreement[] =>
  images.flatMap((p, i) => {
    const runs = p.flatMap(({ attributes: final, steps }) => {
      const x0 = steps?.[step];
      return final && x0 ? [{ final, x0 }] : [];
    });
    const free = freeAttributes(Object.keys(runs[0]?.final ?? {}), named?.[i] ?? {});
    if (runs.length < 2 || runs.length < p.length || free.length === 0) return [];
    const [x0, finals] = [runs.map((r) => r.x0), runs.map((r) => r.final)];
    return [agreement(x0, finals, free)];
  });

const aboveChance = ({ own, others }: Agreement): number => own - others;
const mostAboveChance = ({ others }: Agreement): number => 1 - others;

/**
 * Agreement of the free attributes of x0 at one step with the run's own final image, above chance, of the means over prompts: 0 for none, 1
 * for all. Null without a classifier, or if it was not followed.
 */
export function agreementAt(row: SampleSet, step: number): Estimate | null {
  const prompts = agreements(row, step);
  return orNull(ratioEstimate(prompts.map(aboveChance), prompts.map(mostAboveChance)));
}

/** Commitment of each image, as a share of the steps or as its timestep / 1000 [prompts][images]. */
function committed({ images, timesteps, apart }: SampleSet, as: "share" | "level"): number[][] | null {
  if (!apart || images.some((p) => p.length < 2 || p.some((s) => s.curve === null))) return null;
  return images.map((p, i) =>
    p.map(({ curve }) => {
      const { step, share } = commitment(curve ?? [], apart[i] ?? 0);
      return as === "share" ? share : (timesteps[step] ?? 0) / 1000;
    }),
  );
}

const KINDS = {
  distance: distance("CLIP distance", "clip"),
  "classifier-distance": distance("classifier distance", "judge"),
  "dreamsim-distance": distance("DreamSim distance", "dreamsim"),
  vendi: {
    title: "Vendi score (CLIP)",
    better: "more",
    digits: 2,
    perPrompt: (row) => vendis(row) ?? [],
    estimate: (row) => orNull(meanEstimate((vendis(row) ?? []).map((v) => [v]))),
  },
  "attribute-entropy": ofPrompts("entropy of open attributes by CLIP, nats", "more", 2, openEntropies),
  entropy: ofPrompts("entropy of free attributes, nats", "more", 2, entropies),
  accuracy: {
    ...ofImages("attribute accuracy", "more", 3, accuracies),
    estimate: (row) => orNull(within01(meanEstimate(accuracies(row) ?? []))),
  },
  "clip-score": ofImages("CLIP score (100 cos)", "more", 1, ({ images }) =>
    images.map((p) => p.map((s) => s.clipScore)),
  ),
  sharpness: ofImages("sharpness", "–", 4, ({ images }) =>
    images.map((p) => p.flatMap((s) => s.features["sharpness"]?.[0] ?? [])),
  ),
  change: {
    title: "change of CLIP score, %",
    better: "more",
    digits: 1,
    replicates: async (row) => {
      const { own, other } = scorePairs(row);
      if (own.length === 0) return null;
      return replicatesOf(own.length, async (at) => 100 * (meanAt(own, at) / meanAt(other, at) - 1));
    },
    estimate: (row) => {
      const { own, other } = scorePairs(row);
      return clipScoreChange(own, other);
    },
  },
  identity: ofImages(
    "identity kept (CLIP cosine)",
    "more",
    3,
    (row) =>
      pairsOf(row)?.map((p) =>
        p.map(([a, b]) => 1 - cosineDistance(a.features["clip"] ?? NOTHING, b.features["clip"] ?? NOTHING)),
      ) ?? null,
  ),
  "attribute-change": ofImages("change of the attribute (classifier)", "more", 3, attributeChanges, "linear"),
  committed: ofImages("committed after this share of the steps", "less", 2, (row) => committed(row, "share")),
  "committed-level": ofImages("noise level at commitment, t / 1000", "more", 2, (row) => committed(row, "level")),
  "first-agreement": {
    title: "attributes of the first x0 as in the image, above chance",
    better: "more",
    digits: 2,
    replicates: async (row) => {
      const prompts = agreements(row, 0);
      const [above, most] = [prompts.map(aboveChance), prompts.map(mostAboveChance)];
      return prompts.length === 0
        ? null
        : replicatesOf(prompts.length, async (at) => meanAt(above, at) / meanAt(most, at));
    },
    estimate: (row) => agreementAt(row, 0),
  },
  ...SET_MEASURES,
  time: {
    title: "ms per image",
    better: "less",
    digits: 1,
    perCell: ({ times }) => times,
    estimate: ({ times }) => orNull(meanEstimate(times.map((t) => [t]))),
  },
  calls: {
    title: "model calls",
    better: "less",
    digits: 0,
    estimate: ({ callsPerImage }) => ({ mean: callsPerImage, low: null, high: null, n: 1 }),
  },
} as const satisfies Record<string, Kind>;

const NOTHING = new Float32Array();

export type MeasureName = keyof typeof KINDS;
export const MEASURES = Object.keys(KINDS) as [MeasureName, ...MeasureName[]];

export const kindOf = (name: MeasureName): Kind => KINDS[name];

/** Measures of rows, computed once, since the table and the claims use the same. */
export interface Estimator {
  /** Estimate of a measure; null if undefined. */
  of(name: MeasureName, row: SampleSet): Promise<Estimate | null>;
  /** Replicates of a measure of whole sets, less its floor; null if undefined. */
  aboveFloor(name: MeasureName, row: SampleSet): Promise<Replicates | null>;
}

export function estimator(reference: Reference | null): Estimator {
  const known = new WeakMap<SampleSet, Map<MeasureName, Promise<Estimate | null>>>();
  return {
    of(name, row) {
      const own = known.get(row) ?? new Map<MeasureName, Promise<Estimate | null>>();
      known.set(row, own);
      const estimate = own.get(name) ?? Promise.resolve(kindOf(name).estimate(row, reference));
      own.set(name, estimate);
      return estimate;
    },
    async aboveFloor(name, row) {
      const { replicates, floor } = kindOf(name);
      const found = (await replicates?.(row, reference)) ?? null;
      const least = (await floor?.(row, reference)) ?? 0;
      return found && { point: found.point - least, without: found.without.map((v) => v - least) };
    },
  };
}

/**
 * Ratio of a measure of a and b, over paired prompts or cells, of what lies above the floor where the measure has one; null if either is
 * undefined.
 */
export async function ratio(
  name: MeasureName,
  a: SampleSet,
  b: SampleSet,
  estimate: Estimator,
): Promise<Estimate | null> {
  const [x, y] = [await estimate.of(name, a), await estimate.of(name, b)];
  if (!x || !y) return null;
  const { perPrompt, perCell = perPrompt, replicates } = kindOf(name);
  if (perCell) return ratioEstimate(perCell(a), perCell(b));
  if (!replicates) return { mean: x.mean / y.mean, low: null, high: null, n: x.n };
  const [above, below] = [await estimate.aboveFloor(name, a), await estimate.aboveFloor(name, b)];
  return above && below && { ...replicatesRatio(above, below), n: x.n };
}
