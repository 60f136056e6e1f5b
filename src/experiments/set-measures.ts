/** Measures of all images of a row together: distances to real images, nearest neighbours, Inception score; with intervals over prompts. */
import {
  frechetDistance,
  inceptionScore,
  indices,
  jackknifeEstimate,
  kernelDistances,
  mean,
  type Neighbours,
  neighbours,
  type Replicates,
  replicatesOf,
  uniform,
  within01,
} from "../metrics/index.js";
import type { Product } from "../tensor/index.js";
import { featuresBy, type Kind, type Reference, type SampleSet } from "./sample-set.js";

type Features = readonly Float32Array[];

const NEIGHBOURS = 5;
/** Most multiply-adds of one evaluation for which it is repeated without each group of prompts; above there is no interval. */
const AFFORDABLE = 1e10;

/** A function of a row and the reference, computed once for both. */
function once<T>(of: (row: SampleSet, reference: Reference) => Promise<T>) {
  const known = new WeakMap<Reference, WeakMap<SampleSet, Promise<T>>>();
  return (row: SampleSet, reference: Reference): Promise<T> => {
    const own = known.get(reference) ?? new WeakMap<SampleSet, Promise<T>>();
    known.set(reference, own);
    const found = own.get(row) ?? of(row, reference);
    own.set(row, found);
    return found;
  };
}

/**
 * Replicates of a measure of a row's images and real ones; null where one of both has too few. A set that is too small without some prompts
 * has the value `missing`.
 */
function againstReal<T>(
  instrument: string,
  cost: (images: number, real: number, width: number) => number,
  of: (images: Features, real: Features, multiply: Product) => Promise<T>,
  missing: T,
) {
  return once(async (row, { features, multiply }): Promise<Replicates<T> | null> => {
    const [own, real] = [featuresBy(row, instrument) ?? [], features[instrument] ?? []];
    const count = own.flat().length;
    if (Math.min(count, real.length) <= NEIGHBOURS) return null;
    const statistic = async (prompts: readonly number[]) => {
      const images = prompts.flatMap((p) => own[p] ?? []);
      return images.length <= NEIGHBOURS ? missing : of(images, real, multiply);
    };
    if (cost(count, real.length, real[0]?.length ?? 0) > AFFORDABLE)
      return { point: await statistic(indices(own.length)), without: [] };
    return replicatesOf(own.length, statistic);
  });
}

type SetReplicates = (row: SampleSet, reference: Reference) => Promise<Replicates | null>;

const ofSets = (title: string, better: Kind["better"], digits: number, replicates: SetReplicates): Kind => ({
  title,
  better,
  digits,
  replicates: async (row, reference) => reference && replicates(row, reference),
  estimate: async (row, reference) => {
    const found = reference && (await replicates(row, reference));
    return found && { ...jackknifeEstimate(found.point, found.without), n: countOf(row) };
  },
});

const countOf = (row: SampleSet): number => row.images.reduce((n, p) => n + p.length, 0);

/** Number of random splits of the reference whose mean distance is the floor. */
const SPLITS = 4;

/** Mean Fréchet distance of two random halves of the reference; null with too few images. */
const halvesDistance = (instrument: string) => {
  const known = new WeakMap<Reference, Promise<number | null>>();
  const distance = async ({ features, multiply }: Reference): Promise<number | null> => {
    const real = features[instrument] ?? [];
    const half = Math.floor(real.length / 2);
    if (half <= NEIGHBOURS) return null;
    const random = uniform(20250312);
    const drawn: number[] = [];
    for (let i = 0; i < SPLITS; i++) {
      const keys = real.map(() => random());
      const order = indices(real.length).sort((a, b) => (keys[a] ?? 0) - (keys[b] ?? 0));
      const side = (at: readonly number[]) => at.flatMap((j) => real.slice(j, j + 1));
      drawn.push(await frechetDistance(side(order.slice(0, half)), side(order.slice(half, 2 * half)), multiply));
    }
    return mean(drawn);
  };
  return (reference: Reference): Promise<number | null> => {
    const found = known.get(reference) ?? distance(reference);
    known.set(reference, found);
    return found;
  };
};

/**
 * Fréchet distance and its floor: the distance that a row of the same size would have whose images were drawn from the reference's own
 * distribution. The bias of the distance of sets of n and m images goes with 1/n + 1/m (Chong and Forsyth 2020), so the distance of two halves
 * of the reference, h images each, is scaled by (1/n + 1/m) / (2/h).
 */
function frechetMeasures(title: string, digits: number, instrument: string): { distance: Kind; floor: Kind } {
  const halves = halvesDistance(instrument);
  const floor = async (row: SampleSet, reference: Reference | null): Promise<number | null> => {
    const n = featuresBy(row, instrument)?.flat().length ?? 0;
    const apart = reference && n > NEIGHBOURS ? await halves(reference) : null;
    if (!reference || apart === null) return null;
    const real = reference.features[instrument]?.length ?? 0;
    return (apart * (1 / n + 1 / real)) / (2 / Math.floor(real / 2));
  };
  const cost = (n: number, m: number, d: number) => (n + m) * d * d + 10 * Math.min(n, m, d) ** 3;
  const distance = againstReal(instrument, cost, frechetDistance, Number.NaN);
  return {
    distance: { ...ofSets(title, "less", digits, distance), floor },
    floor: {
      title: `${title}: floor`,
      better: "–",
      digits,
      estimate: async (row, reference) => {
        const value = await floor(row, reference);
        return value === null ? null : { mean: value, low: null, high: null, n: countOf(row) };
      },
    },
  };
}

const NO_NEIGHBOURS: Neighbours = {
  precision: Number.NaN,
  recall: Number.NaN,
  density: Number.NaN,
  coverage: Number.NaN,
};
const bothNeighbours = againstReal(
  "clip",
  (n, m, d) => (n * m + n * n + m * m) * d,
  (images, real, multiply) => neighbours(real, images, NEIGHBOURS, multiply),
  NO_NEIGHBOURS,
);
const share = (title: string, key: "precision" | "recall"): Kind => {
  const kind = ofSets(title, "more", 3, async (row, reference) => {
    const found = await bothNeighbours(row, reference);
    return found && { point: found.point[key], without: found.without.map((v) => v[key]) };
  });
  const estimate = async (row: SampleSet, reference: Reference | null) => {
    const found = await kind.estimate(row, reference);
    return found && within01(found);
  };
  return { ...kind, estimate };
};

/** Replicates of the Inception score; null for fewer than two images. */
async function scores(row: SampleSet): Promise<Replicates | null> {
  const logits = featuresBy(row, "inception-logits") ?? [];
  if (logits.flat().length < 2) return null;
  return replicatesOf(logits.length, async (at) => inceptionScore(at.flatMap((p) => logits[p] ?? [])));
}

/** Kernel distance by CLIP features, unbiased for few images (Bińkowski et al. 2018); null with too few. */
const kernel = once(async (row, { features, multiply }): Promise<Replicates | null> => {
  const [own, real] = [featuresBy(row, "clip") ?? [], features["clip"] ?? []];
  if (Math.min(own.flat().length, real.length) <= NEIGHBOURS) return null;
  const distance = await kernelDistances(own, real, multiply);
  return replicatesOf(own.length, async (prompts) => 1000 * distance(prompts));
});

const clip = frechetMeasures("Fréchet distance (CLIP)", 3, "clip");
const inception = frechetMeasures("FID", 2, "inception");

export const SET_MEASURES = {
  frechet: clip.distance,
  "frechet-floor": clip.floor,
  fid: inception.distance,
  "fid-floor": inception.floor,
  "inception-score": {
    title: "Inception score",
    better: "more",
    digits: 2,
    replicates: scores,
    estimate: async (row) => {
      const found = await scores(row);
      return found && { ...jackknifeEstimate(found.point, found.without), n: countOf(row) };
    },
  },
  kernel: ofSets("kernel distance (CLIP) × 1000", "less", 2, kernel),
  precision: share("precision", "precision"),
  recall: share("recall", "recall"),
} as const satisfies Record<string, Kind>;
