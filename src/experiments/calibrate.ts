/** Calibration of a pair: which hand-off brings variety back at the adherence of the distilled model, from a small experiment. Runs none. */
import type { Calibrated } from "../generate/index.js";
import type { Estimate } from "../metrics/index.js";
import { type Definition, type DefinitionInput, definitionSchema } from "./definition.js";
import type { Table } from "./table.js";
import type { Verdict } from "./verdict.js";

type Row = DefinitionInput["rows"][number];

/** Most base steps that are tried. */
const MOST_STEPS = 3;
/** The row that all others are compared with. */
const DISTILLED: Row = { name: "distilled", sampling: { mode: "distilled" } };

/** Prompts and seeds of a calibration, and the number of steps of the distilled model. */
export interface CalibrationRequest {
  readonly prompts: readonly string[];
  readonly seeds: number;
  readonly steps: number;
  /** Rows to compare beside the distilled model's; default: hand-offs of one to three steps, and two steps for one. */
  readonly rows?: readonly Row[];
}

/** Hand-offs: k steps of the base by LCM's or DDIM's step, and two base steps in place of one row. */
function handoffRows(steps: number): Row[] {
  const most = Math.min(MOST_STEPS, steps - 1);
  const counts = Array.from({ length: most }, (_, i) => i + 1);
  return [
    ...counts.flatMap((k) =>
      (["lcm", "ddim"] as const).map((handoff): Row => {
        return { name: `k = ${k}, ${handoff}`, sampling: { mode: "hybrid", switch: k, handoff } };
      }),
    ),
    ...(steps > 1
      ? [
          {
            name: "2 : 1",
            sampling: { mode: "hybrid", ratio: { base: 2, distilled: 1 }, baseSpacing: "trailing" },
          } as Row,
        ]
      : []),
  ];
}

/** Measures of diversity and of adherence that decide. The classifier's are not tested where there is none. */
const DIVERSITY = "distance";
const ADHERENCE = ["clip-score", "accuracy"] as const;

/** Creates the experiment of a calibration: every row is claimed to be more diverse than the distilled model, and to follow prompts as well. */
export function calibrationExperiment({ prompts, seeds, steps, rows }: CalibrationRequest): Definition {
  const tried = rows ?? handoffRows(steps);
  return definitionSchema.parse({
    name: "calibration",
    title: "Calibration: which setting of a hybrid suits this pair",
    prompts,
    seeds,
    measures: [DIVERSITY, "entropy", ...ADHERENCE, "calls", "time"],
    rows: [DISTILLED, ...tried],
    claims: tried.flatMap(({ name }) => [
      { says: `${name}: more diverse`, measure: DIVERSITY, row: name, is: "more", than: DISTILLED.name },
      ...ADHERENCE.map((measure) => ({
        says: `${name}: follows prompts as well`,
        measure,
        row: name,
        is: "at least as much" as const,
        than: DISTILLED.name,
      })),
    ]),
  });
}

/** A setting that was tried, beside the distilled model. */
export interface Tried {
  readonly name: string;
  readonly sampling: Row["sampling"];
  /** Model calls of an image, as a share of the distilled model's. */
  readonly cost: number;
  /** Diversity and CLIP score as shares of the distilled model's. */
  readonly diversity: Estimate;
  readonly adherence: Estimate;
  readonly verdicts: { readonly diversity: Verdict; readonly adherence: Verdict };
  /** Surely more diverse, surely as adherent, and within the budget. */
  readonly qualifies: boolean;
}

/** Result of a calibration. */
export interface Calibration {
  readonly tried: readonly Tried[];
  /** The recommended setting; null where none is surely better than the distilled model. */
  readonly best: Tried | null;
  /** Settings within the budget that may be better: no verdict speaks against them, and one is not decided. */
  readonly undecided: readonly Tried[];
}

/**
 * Reads the recommendation off a table. Of the settings that qualify, those whose interval of diversity overlaps that of the most diverse one
 * are not told apart from it; of them the one with the fewest calls and then the fewest base steps is taken, and of equal ones the most diverse.
 * @param budget most calls as a share of the distilled model's
 */
export function recommended({ rows, judgements }: Table, { rows: defined }: Definition, budget = 1): Calibration {
  const affordable = (cost: number) => cost <= budget + 1e-9;
  const callsOf = (name: string) => rows.find((row) => row.name === name)?.values.calls?.mean ?? Number.NaN;
  const tried = defined.slice(1).flatMap(({ name, sampling }): Tried[] => {
    const own = judgements.filter(({ claim }) => claim.row === name);
    const [diversity, score, accuracy] = [DIVERSITY, ...ADHERENCE].map((m) => own.find((j) => j.claim.measure === m));
    if (!diversity?.ours || !score?.ours) return [];
    const cost = callsOf(name) / callsOf(DISTILLED.name);
    const worse = accuracy && accuracy.verdict !== "not tested" ? accuracy.verdict : score.verdict;
    const adherence: Verdict = score.verdict === "agrees" ? worse : score.verdict;
    const verdicts = { diversity: diversity.verdict, adherence };
    const qualifies = verdicts.diversity === "agrees" && adherence === "agrees" && affordable(cost);
    return [{ name, sampling, cost, diversity: diversity.ours, adherence: score.ours, verdicts, qualifies }];
  });
  const able = tried.filter((t) => t.qualifies).sort((a, b) => b.diversity.mean - a.diversity.mean);
  const [most] = able;
  const alike = able.filter((t) => (t.diversity.high ?? 0) >= (most?.diversity.low ?? 0));
  const stepsOf = ({ sampling: { switch: k, ratio } }: Tried) => ratio?.base ?? (typeof k === "number" ? k : 1);
  // Sorting is stable: equal ones stay in the order of their diversity.
  const [best = null] = alike.sort((a, b) => a.cost - b.cost || stepsOf(a) - stepsOf(b));
  const undecided = tried.filter(
    ({ verdicts, qualifies, cost }) =>
      !qualifies && affordable(cost) && !Object.values(verdicts).some((verdict) => verdict === "disagrees"),
  );
  return { tried, best, undecided };
}

/** A recommendation as it is stored with the pair. */
export const calibratedSampling = ({ best }: Calibration): Calibrated["sampling"] => {
  if (!best) return { mode: "distilled" };
  const { negative: _negative, size: _size, ...sampling } = best.sampling;
  return sampling;
};
