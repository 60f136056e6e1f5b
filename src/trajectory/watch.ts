/** What is seen and dropped on the way: how alike each predicted picture is to a phrase, and where that changes its mind. */

/** "dropped": seen at some step and not in the end. "late": seen only at the end. */
export type Finding = "dropped" | "late";

export interface Watched {
  readonly phrase: string;
  /** Cosine of each step's x0 and the phrase, −1…1 [seeds][steps]. */
  readonly similarity: readonly (readonly number[])[];
  /** From this similarity on the phrase counts as seen. */
  readonly threshold: number;
  readonly findings: readonly { readonly seed: number; readonly step: number; readonly finding: Finding }[];
}

/** Below this range over a whole trace a phrase tells nothing apart: CLIP's similarities waver by as much. */
const LEAST_RANGE = 0.03;

/** Steps at the end that count as "only at the end". */
const LATE = 0.8;

/**
 * Marks steps where a concept appears and later disappears, or appears only at the end.
 * @param similarity [seeds][steps] of one mode
 * @param all similarities of the phrase over every mode, seed and step: seen is what lies above the middle of their range
 */
export function watch(
  phrase: string,
  seeds: readonly number[],
  similarity: readonly (readonly number[])[],
  all: readonly number[],
): Watched {
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const threshold = (least + most) / 2;
  const findings = similarity.flatMap((steps, s): Watched["findings"] => {
    const seed = seeds[s] ?? 0;
    const seen = steps.map((v) => v > threshold);
    const first = seen.indexOf(true);
    if (most - least < LEAST_RANGE || first < 0 || steps.length < 2) return [];
    if (!seen.at(-1)) return [{ seed, step: seen.lastIndexOf(true), finding: "dropped" }];
    return first > 0 && first >= LATE * (steps.length - 1) ? [{ seed, step: first, finding: "late" }] : [];
  });
  return { phrase, similarity, threshold, findings };
}
