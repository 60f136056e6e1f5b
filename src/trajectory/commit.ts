/** Commit curves: how far each step's predicted picture is from the final one, and from those of other seeds. Pure numbers. */
import { commitment } from "../evaluation/index.js";
import { cosineDistance, type Estimate, meanEstimate, meanPairwise, pairwise } from "../metrics/index.js";

/** Three ways to compare: latents and pixels (0…1) by the root mean square of their difference, CLIP features by 1 − cosine. */
export const SPACES = ["latent", "pixel", "perceptual"] as const;
export type Space = (typeof SPACES)[number];

/** A step or a final picture in one space. */
export type Look = Float32Array;

/** Root mean square of a − b. */
export function rootMeanSquare(a: Look, b: Look): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += ((a[i] ?? 0) - (b[i] ?? 0)) ** 2;
  return Math.sqrt(sum / a.length);
}

/** The distance that belongs to a space. */
export const distanceIn: { readonly [S in Space]: (a: Look, b: Look) => number } = {
  latent: rootMeanSquare,
  pixel: rootMeanSquare,
  perceptual: cosineDistance,
};

export interface CommitCurve {
  /** Distance of x0 at each step to the final picture of the same run [seeds][steps]. */
  readonly perSeed: readonly (readonly number[])[];
  /** Over seeds, with a 95 % interval [steps]. */
  readonly mean: readonly Estimate[];
}

/** The commit curve (Gandikota and Bau 2025, fig. 5). looks[seed][step], finals[seed]. */
export function commitCurve(space: Space, looks: readonly (readonly Look[])[], finals: readonly Look[]): CommitCurve {
  const perSeed = looks.map((steps, s) => steps.map((look) => distanceIn[space](look, finals[s] ?? look)));
  const mean = (perSeed[0] ?? []).map((_, i) => meanEstimate(perSeed.map((seed) => [seed[i] ?? 0])));
  return { perSeed, mean };
}

/** Mean distance between seeds, at each step: the variety that is already there in x0. Null with one seed. */
export function spread(space: Space, looks: readonly (readonly Look[])[]): number[] | null {
  if (looks.length < 2) return null;
  return (looks[0] ?? []).map((_, i) =>
    meanDistanceIn(
      space,
      looks.flatMap((steps) => steps[i] ?? []),
    ),
  );
}

/** Mean distance over all pairs. */
export const meanDistanceIn = (space: Space, looks: readonly Look[]): number =>
  meanPairwise(pairwise(looks, distanceIn[space]));

export interface Committed {
  readonly seed: number;
  /** The first step from which on the picture stays nearer to its own end than half the distance between seeds. */
  readonly step: number;
  /** That step's share of all steps, 0…1: 0.25 is the first of four. */
  readonly share: number;
  readonly timestep: number;
}

/** When each run has committed. `apart` is the mean distance between the final pictures of different seeds. */
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
