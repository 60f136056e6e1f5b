/** Claims of an experiment beside measured values: verdicts, the reasons of those that do not hold, and effects of single rows. */
import type { Reason } from "../catalogue/index.js";
import type { Estimate } from "../metrics/index.js";
import type { Claim, Definition } from "./definition.js";
import { type Estimator, ratio } from "./measures.js";
import type { SampleSet } from "./sample-set.js";
import { type Verdict, verdictOf } from "./verdict.js";

/** Claim with its measured value and verdict. */
export interface ClaimResult {
  readonly claim: Claim;
  /** Ratio of the measures of both rows, or the measure itself for a claim about one row. */
  readonly ours: Estimate | null;
  /** The same of the paper's numbers; null where the paper has none. */
  readonly paper: number | null;
  readonly verdict: Verdict;
  /** Why the claim does not hold, where it is known; null for one that agrees. */
  readonly reason: Pick<Reason, "of" | "because"> | null;
}

/** A measure of several rows, each compared with 0. */
export interface EffectResult {
  readonly says: string;
  readonly rows: readonly { readonly label: string; readonly ours: Estimate | null; readonly verdict: Verdict }[];
}

export async function checkClaims(
  { name, rows, claims }: Definition,
  sets: ReadonlyMap<string, SampleSet>,
  estimate: Estimator,
  reasons: readonly Reason[],
): Promise<ClaimResult[]> {
  const results: ClaimResult[] = [];
  for (const claim of claims) {
    const [a, b] = [sets.get(claim.row), sets.get(claim.than ?? "")];
    const paperOf = (row: string | undefined) => rows.find((r) => r.name === row)?.paper[claim.measure];
    const [x, y] = [paperOf(claim.row), paperOf(claim.than)];
    const alone = claim.than === undefined;
    const ours = alone
      ? a && (await estimate.of(claim.measure, a))
      : a && b && (await ratio(claim.measure, a, b, estimate));
    const verdict = verdictOf(claim.is, ours ?? null, alone ? 0 : 1);
    const paper = alone ? x : x !== undefined && y !== undefined ? x / y : undefined;
    const reason = verdict === "agrees" ? undefined : reasons.find((r) => explains(r, name, claim));
    results.push({ claim, ours: ours ?? null, paper: paper ?? null, verdict, reason: reason ?? null });
  }
  return results;
}

/** Whether a reason is that of this claim. */
export const explains = (reason: Reason, experiment: string, { measure, row, than }: Claim): boolean =>
  reason.experiment === experiment &&
  reason.row === row &&
  reason.than === (than ?? null) &&
  (reason.measures?.includes(measure) ?? true);

export async function checkEffects(
  { effects }: Definition,
  sets: ReadonlyMap<string, SampleSet>,
  estimate: Estimator,
): Promise<EffectResult[]> {
  const results: EffectResult[] = [];
  for (const { says, measure, rows } of effects) {
    const found = [];
    for (const [label, name] of Object.entries(rows)) {
      const set = sets.get(name);
      const ours = set ? await estimate.of(measure, set) : null;
      found.push({ label, ours, verdict: verdictOf("more", ours, 0) });
    }
    results.push({ says, rows: found });
  }
  return results;
}
