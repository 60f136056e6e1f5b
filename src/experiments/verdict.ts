/** Verdicts on claims, from measured values and their 95 % intervals. */
import type { Estimate } from "../metrics/index.js";
import type { Claim } from "./definition.js";

export const VERDICTS = ["agrees", "undecided", "disagrees", "not tested"] as const;
export type Verdict = (typeof VERDICTS)[number];

/** Ratios within this distance of 1 count as equal. */
export const MARGIN = 0.05;

/** Open range of values for which a claim holds. even: 1 for a ratio, 0 for a single value. */
const RANGES: { readonly [K in Claim["is"]]: (even: number) => readonly [from: number, to: number] } = {
  more: (even) => [even, Number.POSITIVE_INFINITY],
  less: (even) => [Number.NEGATIVE_INFINITY, even],
  "as much": (even) => [even - MARGIN, even + MARGIN],
  "at least as much": (even) => [even - MARGIN, Number.POSITIVE_INFINITY],
};

/** Explanation of verdicts, for the report. */
export const VERDICT_NOTE =
  "“Agrees”: the whole interval lies in the claimed range; “disagrees”: all of it lies outside; “undecided”: the interval contains a bound of the range; “not tested”: there is no interval. " +
  `“More” is a ratio above 1, “less” one below 1, “as much” one within ${100 * MARGIN} % of 1 (an equivalence test), “at least as much” one above ${1 - MARGIN} (a test of non-inferiority); a claim about one row alone is compared with 0.`;

/** Verdict on a claim. A claim without an interval is not tested, however large the ratio. */
export function verdictOf(is: Claim["is"], ours: Estimate | null, even: 0 | 1): Verdict {
  if (!ours || ours.low === null || ours.high === null || !Number.isFinite(ours.mean)) return "not tested";
  const [from, to] = RANGES[is](even);
  if (ours.low > from && ours.high < to) return "agrees";
  return ours.high <= from || ours.low >= to ? "disagrees" : "undecided";
}

/** Number of verdicts of each kind, in their order: "agrees 4, undecided 2". */
export const countsOf = (verdicts: readonly Verdict[]): string =>
  VERDICTS.flatMap((kind) => {
    const n = verdicts.filter((v) => v === kind).length;
    return n === 0 ? [] : [`${kind} ${n}`];
  }).join(", ");
