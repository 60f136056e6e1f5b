/** Commitment: the step from which x0 stays closer to the run's own final image than to those of other seeds. */

export interface Commitment {
  /** Index of the step. */
  readonly step: number;
  /** Share of all steps, 0…1: 0.25 is the first of four. */
  readonly share: number;
}

/**
 * First step from which x0 stays within `apart` / 2 of the final image. Runs that are compared with each other share one value of
 * `apart`, the base model's: otherwise a model with little diversity would have to come closer to its final image to commit.
 * @param distances distance of x0 at each step to the final image of the same run
 * @param apart mean distance between the final images of different seeds
 */
export function commitment(distances: readonly number[], apart: number): Commitment {
  const last = distances.findLastIndex((d) => d > apart / 2);
  const step = Math.min(last + 1, distances.length - 1);
  return { step, share: (step + 1) / distances.length };
}
