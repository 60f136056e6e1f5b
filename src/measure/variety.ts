/** Diversity of each prompt's pictures from their features, and the parts that seeds and prompts cause. */

import type { Instrument } from "../instruments/index.js";
import {
  effectiveRank,
  indices,
  mean,
  meanDistance,
  meanPairwise,
  meanSimilarity,
  pairwise,
  pooledEstimate,
  setEstimate,
  squaredDistance,
  varianceSpectrum,
  varietyShares,
  vendi,
} from "../metrics/index.js";
import { LARGEST_EIGEN } from "../tensor/index.js";
import { extractFeatures, type MeasureOptions } from "./features.js";
import type { Group } from "./folder.js";
import { few, halves, type Measure, measured, orNull, pick, type Sample } from "./result.js";

/** Pictures of one prompt up to which they are drawn anew for set measures, each of which solves for eigenvalues. */
export const MOST_RESAMPLED = 100;
/** Pictures up to which all are taken as one set. */
export const MOST_TOGETHER = 2000;

/** Variety of features under cosine, of each prompt's pictures and of all. */
export async function varietyOf(
  name: string,
  features: readonly (readonly Float32Array[])[],
  sample: Sample,
): Promise<Measure[]> {
  const many = features.filter((f) => f.length > 1);
  const sizes = features.map((f) => f.length);
  const solvable = Math.min(Math.max(...sizes), features[0]?.[0]?.length ?? 0) <= LARGEST_EIGEN;
  const sets = (
    id: string,
    about: string,
    better: Measure["better"],
    of: (f: readonly Float32Array[]) => number,
    warn: readonly (string | false)[],
  ) => {
    const statistic = (p: number, at: readonly number[]) => of(pick(features[p] ?? [], at));
    const perPrompt = features.map((f, p) => (f.length > 1 ? statistic(p, indices(f.length)) : Number.NaN));
    const value = setEstimate(
      features.map((f) => f.length),
      (p, at) => (at.length > 1 ? statistic(p, at) : Number.NaN),
      Math.max(...sizes) > MOST_RESAMPLED ? 0 : undefined,
    );
    return measured(sample, {
      id: `${name}.${id}`,
      about,
      kind: "diversity",
      better,
      value,
      perPrompt: perPrompt.map(orNull),
      warnings: warn,
    });
  };
  const found: Measure[] = [];
  if (many.length > 0) {
    const near = few(sample, 16, "Vendi scores lie near the number of pictures whatever they show");
    found.push(
      distanceOf(
        name,
        features.map((f) => pairwise(f)),
        "1 − cosine",
        sample,
      ),
      sets("similarity", "mean pairwise similarity (MSS), of each prompt's pictures", "lower", meanSimilarity, []),
    );
    if (solvable)
      found.push(
        sets(
          "vendi",
          "Vendi score, order 1: how many different pictures a prompt's amount to",
          "higher",
          (f) => vendi(f, 1),
          [near],
        ),
        sets("vendi2", "Vendi score, order 2 (RKE)", "higher", (f) => vendi(f, 2), [near]),
        sets("vendi-inf", "Vendi score, order ∞", "higher", (f) => vendi(f, Number.POSITIVE_INFINITY), [near]),
        sets("rank", "effective rank: directions in which a prompt's pictures vary", "higher", effectiveRank, [
          few(sample, 16, "there are at most as many directions as pictures, less one"),
        ]),
      );
  }
  const all = features.flat();
  if (features.length > 1 && many.length > 0 && all.length <= MOST_TOGETHER)
    found.push(...(await sharesOf(name, features, sample)));
  return found;
}

/** Parts of the order-2 entropy of all pictures; the interval is over halves of the prompts. */
export async function sharesOf(
  name: string,
  features: readonly (readonly Float32Array[])[],
  sample: Sample,
): Promise<Measure[]> {
  const cost = sample.pictures ** 2 * (features[0]?.[0]?.length ?? 1);
  const resamples = features.length < 4 ? 0 : halves(cost);
  const kinds = [
    ["entropy", "order-2 entropy of all pictures together, nats", "total"],
    ["entropy-seeds", "the part that seeds cause: entropy when the prompt is known (conditional RKE), nats", "seeds"],
    ["entropy-prompts", "the part that prompts cause, nats", "prompts"],
  ] as const;
  const found: Measure[] = [];
  for (const [id, about, key] of kinds) {
    const value = await pooledEstimate(
      [features.length, 1],
      async (at) => varietyShares(pick(features, at))[key],
      resamples,
    );
    const warnings = [
      few(sample, 8, "the seeds' part cannot be larger than ln of that"),
      features.length < 4 && "an interval needs 4 prompts",
    ];
    const estimate = { ...value, n: sample.pictures };
    found.push(
      measured(sample, { id: `${name}.${id}`, about, kind: "semantic", better: "neither", value: estimate, warnings }),
    );
  }
  return found;
}

export function distanceOf(
  name: string,
  matrices: readonly (readonly (readonly number[])[])[],
  what: string,
  sample: Sample,
): Measure {
  return measured(sample, {
    id: `${name}.distance`,
    about: `mean pairwise distance (${what}), of each prompt's pictures`,
    kind: "diversity",
    better: "higher",
    value: meanDistance(matrices),
    perPrompt: matrices.map((m) => orNull(meanPairwise(m))),
    warnings: [few(sample, 4, "the interval is wide")],
  });
}

export async function squaredVariety(
  instrument: Instrument,
  groups: readonly Group[],
  sample: Sample,
  o: MeasureOptions,
): Promise<Measure> {
  const matrices: number[][][] = [];
  for (const group of groups) {
    const features = (await extractFeatures([group], instrument.facts.name, (i) => instrument.features(i), o)).flat();
    matrices.push(pairwise(features, squaredDistance));
  }
  return distanceOf(instrument.facts.name, matrices, "LPIPS", sample);
}

export function meanSpectrum(features: readonly (readonly Float32Array[])[]): number[] {
  const each = features.filter((f) => f.length > 2).map((f) => varianceSpectrum(f));
  if (each.length === 0) return [];
  return indices(16).map((i) => mean(each.map((v) => v[i] ?? 0)));
}
