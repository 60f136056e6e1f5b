/** Measures of a row of an experiment: a number for each prompt where that makes sense, and an estimate with its interval always. */
import { attributeAccuracy, clipScoreChange, commitment, freeAttributes, freeEntropy } from "../evaluation/index.js";
import type { AttributeValues } from "../instruments/index.js";
import {
  cosineDistance,
  distancePerPrompt,
  type Estimate,
  frechetDistance,
  inceptionScore,
  mean,
  meanEstimate,
  neighbours,
  pairwiseDistance,
  quantile,
  ratioEstimate,
} from "../metrics/index.js";
import type { Product } from "../tensor/index.js";

/** Features and predictions of one image. */
export interface ImageReading {
  readonly seed: number;
  /** By instrument: clip, judge (the classifier), dreamsim, inception. */
  readonly features: Readonly<Record<string, Float32Array>>;
  /** Of the image and its prompt, or the row's concept. */
  readonly clipScore: number;
  /** As the classifier predicts them; null where there is none. */
  readonly attributes: AttributeValues | null;
  readonly numbers: Readonly<Record<string, number>> | null;
  /** CLIP distance of x0 to the final image at each step, where it was followed. */
  readonly curve: readonly number[] | null;
}

/** A row with all its images; images[p] are those of prompt p, by seed. */
export interface SampleSet {
  readonly name: string;
  readonly images: readonly (readonly ImageReading[])[];
  /** Attributes that each prompt names; null without a classifier. */
  readonly named: readonly AttributeValues[] | null;
  /** The attribute that attribute-change is about. */
  readonly attribute: string | null;
  /** Milliseconds for an image, one for each cell that one worker generated alone. */
  readonly times: readonly number[];
  readonly callsPerImage: number;
  /** Timesteps of the curves. */
  readonly timesteps: readonly number[];
  /** CLIP distance between the final images of different seeds [prompts], in the first followed row of the experiment: the unit of commitment. */
  readonly apart: readonly number[] | null;
  readonly against: SampleSet | null;
}

/** Real images, as features by instrument. */
export interface Reference {
  readonly features: Readonly<Record<string, readonly Float32Array[]>>;
  readonly multiply: Product;
  readonly about: string;
}

interface Kind {
  readonly title: string;
  readonly better: "more" | "less" | "–";
  readonly digits: number;
  /** One number for each prompt, NaN where it has none. */
  readonly perPrompt?: (row: SampleSet) => number[];
  /** Null where the row has nothing to measure. */
  readonly estimate: (row: SampleSet, reference: Reference | null) => Promise<Estimate | null> | Estimate | null;
}

/** Features of every image by one instrument; null where it read none. */
export function featuresBy({ images }: SampleSet, instrument: string): Float32Array[][] | null {
  const all = images.map((p) => p.flatMap((s) => s.features[instrument] ?? []));
  return all.every((p, i) => p.length === images[i]?.length) ? all : null;
}

const orNull = (e: Estimate): Estimate | null => (e.n === 0 ? null : e);

/** Mean pairwise distance in the features of one instrument. */
const distance = (title: string, instrument: string): Kind => ({
  title,
  better: "more",
  digits: 3,
  perPrompt: (row) => distancePerPrompt(featuresBy(row, instrument) ?? []),
  estimate: (row) => orNull(pairwiseDistance(featuresBy(row, instrument) ?? [])),
});

/** A mean over images: values[p][i], or null. */
const ofImages = (
  title: string,
  better: Kind["better"],
  digits: number,
  values: (row: SampleSet) => readonly (readonly number[])[] | null,
): Kind => ({
  title,
  better,
  digits,
  perPrompt: (row) => (values(row) ?? []).map(mean),
  estimate: (row) => orNull(meanEstimate(values(row) ?? [])),
});

/** One number for each prompt: only prompts can be resampled. */
const ofPrompts = (
  title: string,
  better: Kind["better"],
  digits: number,
  values: (row: SampleSet) => readonly number[] | null,
): Kind => ofImages(title, better, digits, (row) => values(row)?.map((v) => [v]) ?? null);

/** A measure of the whole row against real images. No interval: half a set is measurably worse than the whole. */
const ofSets = (
  title: string,
  better: Kind["better"],
  digits: number,
  instrument: string,
  of: (images: Float32Array[], real: readonly Float32Array[], multiply: Product) => Promise<number>,
): Kind => ({
  title,
  better,
  digits,
  estimate: async (row, reference) => {
    const own = featuresBy(row, instrument)?.flat() ?? [];
    const real = reference?.features[instrument] ?? [];
    if (!reference || Math.min(own.length, real.length) <= NEIGHBOURS) return null;
    return { mean: await of(own, real, reference.multiply), low: null, high: null, n: own.length };
  },
});

/** A row's images beside those of the row that it is compared with, prompt by prompt and seed by seed. */
function pairsOf({ images, against }: SampleSet): (readonly [ImageReading, ImageReading])[][] | null {
  if (!against) return null;
  return images.map((p, i) =>
    p.flatMap((own) => {
      const other = against.images[i]?.find((s) => s.seed === own.seed);
      return other ? [[own, other] as const] : [];
    }),
  );
}

/** A number of the classifier, or with "attribute=a|b" whether the attribute has one of these values; null where there is neither. */
function attributeValue({ attributes, numbers }: ImageReading, attribute: string): number | null {
  const [name = "", values] = attribute.split("=");
  if (values === undefined) return numbers?.[name] ?? null;
  const value = attributes?.[name];
  return value === undefined ? null : Number(values.split("|").includes(`${value}`));
}

/** Attributes of the images of each prompt; null without a classifier. */
const attributesIn = ({ images }: SampleSet): AttributeValues[][] | null => {
  const all = images.map((p) => p.flatMap((s) => (s.attributes ? [s.attributes] : [])));
  return all.every((p, i) => p.length === images[i]?.length) ? all : null;
};

/** Entropy of the attributes that each prompt leaves free, in nats [prompts]. */
function entropies(row: SampleSet): number[] | null {
  const shown = attributesIn(row);
  if (row.named === null || !shown || shown.some((p) => p.length < 2)) return null;
  return shown.map((p, i) => freeEntropy(p, freeAttributes(Object.keys(p[0] ?? {}), row.named?.[i] ?? {})));
}

/** Commitment of each image, as a share of the run's steps or as the timestep of its step in thousandths [prompts][images]. */
function committed({ images, timesteps, apart }: SampleSet, as: "share" | "level"): number[][] | null {
  if (!apart || images.some((p) => p.length < 2 || p.some((s) => s.curve === null))) return null;
  return images.map((p, i) =>
    p.map(({ curve }) => {
      const { step, share } = commitment(curve ?? [], apart[i] ?? 0);
      return as === "share" ? share : (timesteps[step] ?? 0) / 1000;
    }),
  );
}

const NEIGHBOURS = 5;

const KINDS = {
  distance: distance("CLIP distance", "clip"),
  "classifier-distance": distance("classifier distance", "judge"),
  "dreamsim-distance": distance("DreamSim distance", "dreamsim"),
  entropy: ofPrompts("entropy of free attributes, nats", "more", 2, entropies),
  accuracy: ofImages("attribute accuracy", "more", 3, (row) => {
    const { named } = row;
    return named && (attributesIn(row)?.map((p, i) => attributeAccuracy(p, named[i] ?? {})) ?? null);
  }),
  "clip-score": ofImages("CLIP score (100 cos)", "more", 1, ({ images }) =>
    images.map((p) => p.map((s) => s.clipScore)),
  ),
  change: {
    title: "change of CLIP score, %",
    better: "more",
    digits: 1,
    estimate: (row) => {
      const pairs = (pairsOf(row) ?? []).filter((p) => p.length > 0);
      return clipScoreChange(
        pairs.map((p) => mean(p.map(([own]) => own.clipScore))),
        pairs.map((p) => mean(p.map(([, other]) => other.clipScore))),
      );
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
  "attribute-change": ofImages("change of the attribute (classifier)", "more", 3, (row) => {
    const { attribute } = row;
    if (attribute === null) return null;
    const all = pairsOf(row)?.map((p) =>
      p.map(([a, b]) => [attributeValue(a, attribute), attributeValue(b, attribute)] as const),
    );
    if (!all || all.some((p) => p.some(([a, b]) => a === null || b === null))) return null;
    return all.map((p) => p.map(([a, b]) => (a ?? 0) - (b ?? 0)));
  }),
  committed: ofImages("committed after this share of the steps", "less", 2, (row) => committed(row, "share")),
  "committed-level": ofImages("noise level at commitment, t / 1000", "more", 2, (row) => committed(row, "level")),
  frechet: ofSets("Fréchet distance (CLIP)", "less", 3, "clip", frechetDistance),
  fid: ofSets("FID", "less", 2, "inception", frechetDistance),
  "inception-score": {
    title: "Inception score",
    better: "more",
    digits: 2,
    estimate: (row) => {
      const logits = featuresBy(row, "inception-logits")?.flat() ?? [];
      return logits.length < 2 ? null : { mean: inceptionScore(logits), low: null, high: null, n: logits.length };
    },
  },
  precision: ofSets(
    "precision",
    "more",
    3,
    "clip",
    async (a, b, x) => (await neighbours(b, a, NEIGHBOURS, x)).precision,
  ),
  recall: ofSets("recall", "more", 3, "clip", async (a, b, x) => (await neighbours(b, a, NEIGHBOURS, x)).recall),
  time: {
    title: "ms for an image",
    better: "less",
    digits: 1,
    estimate: ({ times }) => {
      if (times.length === 0) return null;
      const sorted = times.toSorted((a, b) => a - b);
      const at = (q: number) => quantile(sorted, q);
      // The median, and the middle half of the cells: how much it varied, not how well the median is known.
      const spread = sorted.length > 2 ? { low: at(0.25), high: at(0.75) } : { low: null, high: null };
      return { mean: at(0.5), ...spread, n: sorted.length };
    },
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

/** Estimates a measure of a row; null where there is nothing to measure. */
export type Estimator = (name: MeasureName, row: SampleSet) => Promise<Estimate | null>;

/** Estimates each measure of a row once: claims ask for those of the table again. */
export function estimator(reference: Reference | null): Estimator {
  const known = new WeakMap<SampleSet, Map<MeasureName, Promise<Estimate | null>>>();
  return (name, row) => {
    const own = known.get(row) ?? new Map<MeasureName, Promise<Estimate | null>>();
    known.set(row, own);
    const estimate = own.get(name) ?? Promise.resolve(kindOf(name).estimate(row, reference));
    own.set(name, estimate);
    return estimate;
  };
}

/** a's measure as a share of b's, over paired prompts; null where either has none. Measures of whole sets have no interval. */
export async function ratio(
  name: MeasureName,
  a: SampleSet,
  b: SampleSet,
  estimate: Estimator,
): Promise<Estimate | null> {
  const [x, y] = [await estimate(name, a), await estimate(name, b)];
  if (!x || !y) return null;
  const { perPrompt } = kindOf(name);
  return perPrompt
    ? ratioEstimate(perPrompt(a), perPrompt(b))
    : { mean: x.mean / y.mean, low: null, high: null, n: x.n };
}
