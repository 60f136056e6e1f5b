/** Order of a run's examples: shuffled epochs, in batches of one size. */
import { uniform } from "../metrics/index.js";

/**
 * The examples of each update, as indices. Every example comes once in an epoch; where a group does not fill its last batch, others of the
 * group come again.
 * @param groups indices of examples that fit one batch, such as those of one bucket
 * @param samples examples of a batch
 * @returns the batch by the number of updates before it; it follows from that number and the seed alone
 */
export function epochs(
  groups: readonly (readonly number[])[],
  samples: number,
  seed: number,
): (update: number) => readonly number[] {
  const counts = groups.map((group) => Math.ceil(group.length / samples));
  const each = counts.reduce((n, c) => n + c, 0);
  if (each === 0) throw new RangeError("there are no examples");
  let [known, batches]: [number, number[][]] = [-1, []];
  return (update) => {
    const epoch = Math.floor(update / each);
    if (epoch !== known) {
      const random = uniform((seed + 1) * 104_729 + epoch);
      const made = groups.flatMap((group, g) => {
        const order = shuffled(group, random);
        const at = (i: number) => order[i % order.length] ?? 0;
        return Array.from({ length: counts[g] ?? 0 }, (_, b) =>
          Array.from({ length: samples }, (_, i) => at(b * samples + i)),
        );
      });
      [known, batches] = [epoch, shuffled(made, random)];
    }
    return batches[update % each] ?? [];
  };
}

/** Fisher–Yates shuffle of a copy. */
function shuffled<T>(values: readonly T[], random: () => number): T[] {
  const out = [...values];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const [a, b] = [out[i], out[j]];
    if (a !== undefined && b !== undefined) [out[i], out[j]] = [b, a];
  }
  return out;
}
