/** Commit curves: distances of x0 at each step to the final image, and between seeds. Pure functions of features. */
import { commitment } from "../evaluation/index.js";
import {
  cosineDistance,
  type Estimate,
  meanEstimate,
  meanPairwise,
  pairwise,
  rootMeanSquare,
} from "../metrics/index.js";

/** Spaces of features: latents and pixels (0…1) with the root mean square difference, CLIP features (perceptual) with 1 − cosine. */
export const SPACES = ["latent", "pixel", "perceptual"] as const;
export type Space = (typeof SPACES)[number];

/** x0 of a step, or a final image, in one space. */
export type Features = Float32Array;

/** Distance function of each space. */
export const distanceIn: { readonly [S in Space]: (a: Features, b: Features) => number } = {
  latent: rootMeanSquare,
  pixel: rootMeanSquare,
  perceptual: cosineDistance,
};

export interface CommitCurve {
  /** Distance of x0 at each step to the final image of the same run [seeds][steps]. */
  readonly perSeed: readonly (readonly number[])[];
  /** Mean over seeds, with a 95 % interval [steps]. */
  readonly mean: readonly Estimate[];
}

/** The commit curve (Gandikota and Bau 2025, fig. 5). x0[seed][step], finals[seed]. */
export function commitCurve(
  space: Space,
  x0: readonly (readonly Features[])[],
  finals: readonly Features[],
): CommitCurve {
  const perSeed = x0.map((steps, s) => steps.map((step) => distanceIn[space](step, finals[s] ?? step)));
  const mean = (perSeed[0] ?? []).map((_, i) => meanEstimate(perSeed.map((seed) => [seed[i] ?? 0])));
  return { perSeed, mean };
}

/** Mean distance between seeds at each step: the diversity of x0. Null with one seed. x0[seed][step]. */
export function spread(space: Space, x0: readonly (readonly Features[])[]): number[] | null {
  if (x0.length < 2) return null;
  return (x0[0] ?? []).map((_, i) =>
    meanDistanceIn(
      space,
      x0.flatMap((steps) => steps[i] ?? []),
    ),
  );
}

/** Mean pairwise distance. */
export const meanDistanceIn = (space: Space, features: readonly Features[]): number =>
  meanPairwise(pairwise(features, distanceIn[space]));

export interface Committed {
  readonly seed: number;
  /** First step from which x0 stays closer to its final image than half the distance between seeds. */
  readonly step: number;
  /** Share of all steps, 0…1: 0.25 is the first of four. */
  readonly share: number;
  readonly timestep: number;
}

/** Commitment of each run. apart: mean distance between the final images of different seeds. */
export function committed(
  curve: CommitCurve,
  seeds: readonly number[],
  timesteps: readonly number[],
  apart: number,
): Committed[] {
  return curve.perSeed.map((distances, s) => {
    const { step, share } = commitment(distances, apart);
    return { seed: seeds[s] ?? 0, step, share, timestep: timesteps[step] ?? 0 };
  });
}
