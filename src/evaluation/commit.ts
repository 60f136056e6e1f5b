/** Commitment: the step from which x0 stays closer to the run's own final image than to those of other seeds, and how much x0 shows of it. */
import type { AttributeValues } from "../instruments/index.js";

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

/** Agreement of attributes between two readings of the runs of a prompt, as shares 0…1. */
export interface Agreement {
  /** Of x0 and the same run's final image. */
  readonly own: number;
  /** Of x0 and the final images of the other seeds: what chance and the prompt give. */
  readonly others: number;
}

/** Agreement above chance, as Cohen's kappa: 0 where x0 says nothing of its final image, 1 where it says all. */
export const agreementAboveChance = ({ own, others }: Agreement): number => (own - others) / (1 - others);

/**
 * Share of the attributes `free` that x0 has in common with its own final image, and with those of other seeds. NaN for fewer than two seeds.
 * @param x0 attributes of x0 at one step [seeds]
 * @param finals attributes of the final images [seeds]
 */
export function agreement(
  x0: readonly AttributeValues[],
  finals: readonly AttributeValues[],
  free: readonly string[],
): Agreement {
  const [same, other] = [
    { hits: 0, n: 0 },
    { hits: 0, n: 0 },
  ];
  for (const [i, shown] of x0.entries()) {
    for (const [j, final] of finals.entries()) {
      const count = i === j ? same : other;
      for (const name of free) {
        count.hits += Number(shown[name] === final[name]);
        count.n++;
      }
    }
  }
  return { own: same.hits / same.n, others: other.hits / other.n };
}
