/** Commitment: the step from which on a run's predicted image is closer to its own end than to those of other seeds. */

export interface Commitment {
  /** Index of the step. */
  readonly step: number;
  /** Its share of all steps, 0…1: 0.25 is the first of four. */
  readonly share: number;
}

/**
 * The first step from which on x0 stays within half of `apart` of the run's end. `apart` is the mean distance between the final images
 * of different seeds; runs that are compared with each other share one value, that of the base model, since a model whose images lie
 * close together would otherwise need to come closer to its end than one whose images differ.
 * @param distances of x0 at each step to the final image of the same run
 */
export function commitment(distances: readonly number[], apart: number): Commitment {
  const last = distances.findLastIndex((d) => d > apart / 2);
  const step = Math.min(last + 1, distances.length - 1);
  return { step, share: (step + 1) / distances.length };
}
