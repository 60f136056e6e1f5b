/** Finds phrases that vanish from x0 or appear late, by the CLIP similarity of each x0 to the phrase. */

/** "dropped": seen at some step, but not in the final image. "late": seen only in the last steps. */
export type Finding = "dropped" | "late";

export interface Watched {
  readonly phrase: string;
  /** Cosine of each step's x0 and the phrase, −1…1 [seeds][steps]. */
  readonly similarity: readonly (readonly number[])[];
  /** Similarity above which the phrase counts as seen. */
  readonly threshold: number;
  readonly findings: readonly { readonly seed: number; readonly step: number; readonly finding: Finding }[];
}

/** Minimum range of similarities over a trace. Smaller ranges are within the noise of CLIP. */
const LEAST_RANGE = 0.03;

/** Share of the steps from which an appearance is "late". */
const LATE = 0.8;

/**
 * Marks steps at which a phrase is seen for the last time before it vanishes, or appears late.
 * @param similarity [seeds][steps] of one mode
 * @param all similarities of the phrase over every mode, seed and step; the threshold is the middle of their range
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
