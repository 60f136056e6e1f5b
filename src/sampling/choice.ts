/** Choice of seeds on a plan: after which steps samples of a prompt are dropped. Chooses none. */
import { RequestError } from "../errors.js";
import { joinsSamples } from "./hooks/hook.js";
import type { SamplingRequest } from "./options.js";
import { isOpen, type Plan, type StepRow } from "./plan.js";

/** Weight of the fit without one given. */
const DEFAULT_FIT = 0.1;

/**
 * A plan that drops samples: all at once after the first step, or step by step (`choosePrune`, the share that each step drops), as in Scalable
 * Group Inference (Parmar et al. 2025, arXiv 2508.15773, section 3.3).
 * @throws RequestError for methods by which the samples of a prompt depend on each other
 */
export function withChoice(
  plan: Plan,
  { choose, chooseBy: by = "latents", choosePrune: share, chooseFit: fit = DEFAULT_FIT }: SamplingRequest,
): Plan {
  if (!choose) return plan;
  checkApart(plan);
  const ends = plan.rows.filter((row) => row.kind === "step" && !isOpen(row));
  let left = choose.of;
  const rows = plan.rows.map((row) => {
    const end = ends.indexOf(row);
    if (row.kind === "renoise" || end < 0 || left === choose.keep) return row;
    const most = share === undefined || end === ends.length - 1 ? choose.keep : Math.ceil(left * (1 - share));
    const step: StepRow = { ...row, choice: { of: left, keep: Math.max(choose.keep, most), by, fit } };
    left = step.choice?.keep ?? left;
    return step;
  });
  return { ...plan, rows };
}

function checkApart({ rows }: Plan): void {
  for (const row of rows) {
    const hook = row.kind === "step" ? row.hooks?.find(joinsSamples) : undefined;
    if (!hook) continue;
    throw new RequestError(
      `--choose and --diversity ${hook.kind} exclude each other: with ${hook.kind} an image depends on the other seeds, so that the kept seeds alone would give other images`,
      { field: "choose" },
    );
  }
}

/** Number of samples that run each row, for each kept sample: 1 everywhere without a choice. */
export function samplesPerRow({ rows }: Plan): number[] {
  const choices = rows.flatMap((row) => (row.kind === "step" && row.choice ? [row.choice] : []));
  const kept = choices.at(-1)?.keep ?? 1;
  let left = choices[0]?.of ?? kept;
  return rows.map((row) => {
    const own = left / kept;
    if (row.kind === "step" && row.choice) left = row.choice.keep;
    return own;
  });
}

/** True for a plan that chooses among the samples of a prompt. */
export const isChoosing = ({ rows }: Plan): boolean => rows.some((row) => row.kind === "step" && row.choice);
