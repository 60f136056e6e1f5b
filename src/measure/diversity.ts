/** Diversity of each prompt's images from their features, and the entropy due to seeds and to prompts. */

import type { Instrument } from "../instruments/index.js";
import { LARGEST_EIGEN } from "../linalg/index.js";
import {
  conditionalRke,
  effectiveRank,
  indices,
  jackknifeEstimate,
  mean,
  meanDistance,
  meanPairwise,
  meanSimilarity,
  pairwise,
  replicatesOf,
  setEstimate,
  squaredDistance,
  varianceSpectrum,
  vendi,
} from "../metrics/index.js";
import { extractFeatures, type MeasureOptions } from "./features.js";
import type { Group } from "./folder.js";
import { few, type Measure, measured, orNull, pick, type Sample } from "./result.js";

/** Maximum number of images for measures of all images together. */
export const MOST_IN_ONE_SET = 2000;

/** Diversity under the cosine distance of features, by prompt and of all images. */
export async function diversityMeasures(
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
    const near = few(sample, 16, "Vendi scores are close to the number of images for any set");
    found.push(
      distanceOf(
        name,
        features.map((f) => pairwise(f)),
        "1 − cosine",
        sample,
      ),
      sets("similarity", "mean pairwise similarity (MSS) of each prompt's images", "lower", meanSimilarity, []),
    );
    if (solvable)
      found.push(
        sets(
          "vendi",
          "Vendi score, order 1: effective number of different images of a prompt",
          "higher",
          (f) => vendi(f, 1),
          [near],
        ),
        sets("vendi2", "Vendi score, order 2 (RKE)", "higher", (f) => vendi(f, 2), [near]),
        sets("vendi-inf", "Vendi score, order ∞", "higher", (f) => vendi(f, Number.POSITIVE_INFINITY), [near]),
        sets("rank", "effective rank: number of directions in which a prompt's images vary", "higher", effectiveRank, [
          few(sample, 16, "the rank is at most the number of images less one"),
        ]),
      );
  }
  const all = features.flat();
  if (features.length > 1 && many.length > 0 && all.length <= MOST_IN_ONE_SET)
    found.push(...(await entropyParts(name, features, sample)));
  return found;
}

/** Order-2 entropy of all images, and its parts due to seeds and to prompts. */
export async function entropyParts(
  name: string,
  features: readonly (readonly Float32Array[])[],
  sample: Sample,
): Promise<Measure[]> {
  const kinds = [
    ["entropy", "order-2 entropy of all images together, nats", "total"],
    ["entropy-seeds", "entropy due to seeds, given the prompt (conditional RKE), nats", "seeds"],
    ["entropy-prompts", "entropy due to prompts, nats", "prompts"],
  ] as const;
  const parts = await replicatesOf(features.length, async (at) => conditionalRke(pick(features, at)));
  const found: Measure[] = [];
  for (const [id, about, key] of kinds) {
    const warnings = [few(sample, 8, "the entropy due to seeds is at most ln of that number")];
    const { point, without } = parts;
    const value = jackknifeEstimate(
      point[key],
      without.map((part) => part[key]),
    );
    const estimate = { ...value, n: sample.images };
    const perPrompt = key === "seeds" && features.map((f) => orNull(f.length > 1 ? Math.log(vendi(f, 2)) : Number.NaN));
    found.push(
      measured(sample, {
        id: `${name}.${id}`,
        about,
        kind: "semantic",
        better: "neither",
        value: estimate,
        ...(perPrompt && { perPrompt }),
        warnings,
      }),
    );
  }
  return found;
}

export function distanceOf(
  name: string,
  matrices: readonly (readonly (readonly number[])[])[],
  metric: string,
  sample: Sample,
): Measure {
  return measured(sample, {
    id: `${name}.distance`,
    about: `mean pairwise distance (${metric}) of each prompt's images`,
    kind: "diversity",
    better: "higher",
    value: meanDistance(matrices),
    perPrompt: matrices.map((m) => orNull(meanPairwise(m))),
    warnings: [few(sample, 4, "the interval is wide")],
  });
}

export async function squaredDistanceMeasure(
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
