/** Text table of a plan. Independent of the terminal. */
import { karrasSigma, type NoiseLevel } from "./level.js";
import type { Plan, Row } from "./plan.js";
import type { SolverSpec } from "./solver-spec.js";

export interface PlanTable {
  readonly columns: readonly string[];
  /** Every row has one cell per column. */
  readonly rows: readonly (readonly string[])[];
}

const COLUMNS = [
  "step",
  "model",
  "timestep",
  "level in (t / σ)",
  "level out (t / σ)",
  "guidance",
  "predicts",
  "solver",
];

/** Table of a plan's rows. Noise levels are printed as "timestep / σ": the Karras sigma, σ / α, or for flow models σ itself. */
export function describePlan(plan: Plan): PlanTable {
  const flow = plan.rows.some((row) => row.kind === "step" && row.prediction === "flow_prediction");
  const hooked = plan.rows.some((row) => describeHooks(row) !== "");
  return {
    columns: [...COLUMNS, ...(hooked ? ["diversity"] : [])],
    rows: plan.rows.map((row, i) => [
      String(i),
      ...cells(row, flow ? (level) => level.sigma : karrasSigma),
      ...(hooked ? [describeHooks(row)] : []),
    ]),
  };
}

function cells(row: Row, sigma: (level: NoiseLevel) => number): readonly string[] {
  const levels = [row.from, row.to].map((level) => describeLevel(level, sigma));
  if (row.kind === "renoise") return ["", "", ...levels, "", "", "re-noise"];
  const guidance = row.guidanceRescale > 0 ? `${row.guidance} (rescale ${row.guidanceRescale})` : `${row.guidance}`;
  const model = row.loraScale === undefined ? row.model : `${row.model} (LoRA × ${row.loraScale})`;
  return [model, short(row.timestep), ...levels, guidance, PREDICTS[row.prediction], describeSolver(row.solver)];
}

/** Hooks of a row and the choice after it: "cads (γ 0.15), keeps 8 of 32 seeds". */
function describeHooks(row: Row): string {
  if (row.kind === "renoise") return "";
  const { choice } = row;
  const chosen = choice && `keeps ${choice.keep} of ${choice.of} seeds (by ${choice.by}, fit ${choice.fit})`;
  const hooks = (row.hooks ?? []).map(
    ({ kind, ...numbers }) =>
      `${kind} (${Object.entries(numbers)
        .map(([name, v]) => `${name} ${shortest(v)}`)
        .join(", ")})`,
  );
  return [...hooks, ...(chosen ? [chosen] : [])].join(", ");
}

const shortest = (value: string | number): string =>
  typeof value === "number" ? String(Number(value.toPrecision(3))) : value;

const PREDICTS = {
  epsilon: "ε",
  v_prediction: "v",
  sample: "x0",
  flow_prediction: "flow",
  edm: "F",
  edm_v: "F",
} as const;

/** "749 / 4.082", or "clean". */
function describeLevel(level: NoiseLevel, sigma: (level: NoiseLevel) => number): string {
  if (level.sigma === 0) return "clean";
  const value = sigma(level);
  return `${short(level.t)} / ${Number.isFinite(value) ? value.toPrecision(4) : "∞"}`;
}

function describeSolver(solver: SolverSpec): string {
  if (solver.kind === "pndm") return `${solver.kind} (${solver.stage})`;
  const noisy = "noise" in solver ? solver.noise > 1e-9 : solver.kind === "lcm" && solver.draws;
  const name = solver.kind === "linear" ? `${solver.method}${solver.open ? ", first call" : ""}` : solver.kind;
  return noisy ? `${name} + noise` : name;
}

const short = (t: number): string => String(Math.round(t * 100) / 100);
