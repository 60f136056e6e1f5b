/**
 * A run as data: rows that say which model is called at which timestep, from which noise level to which, with which
 * numbers. Plain JSON: written to a file and read back it gives the same run. Makes plans; does not run them.
 */
import { RequestError } from "../errors.js";
import { type NoiseLevel, noisier, ratioOf, sameLevel } from "./level.js";
import { checkPrediction } from "./parameterisation.js";
import { schedule } from "./schedule.js";
import type { Prediction, SchedulerConfig } from "./scheduler.js";
import { type Leg, legs, type SolverSpec } from "./solver.js";
import type { Walk } from "./timesteps.js";

/** Which of the pair is called. */
export type ModelName = "base" | "distilled";

/** One call of a network and the step it leads to. */
export interface StepRow {
  readonly kind: "step";
  readonly model: ModelName;
  /** What the network is told; may be fractional. */
  readonly timestep: number;
  /** The level the latents are at: where the row before left them. */
  readonly from: NoiseLevel;
  /** The level the solver takes them to be at. It differs from `from` only where diffusers' DDIM and PNDM land beside the next timestep. */
  readonly at: NoiseLevel;
  readonly to: NoiseLevel;
  readonly prediction: Prediction;
  /** Scale of classifier-free guidance; at 1 or less there is one conditional call. */
  readonly guidance: number;
  /** 0 … 1, φ of Lin et al. 2023, section 3.4. */
  readonly guidanceRescale: number;
  readonly solver: SolverSpec;
}

/** Fresh noise that brings the latents to exactly the level where the next row starts. */
export interface RenoiseRow {
  readonly kind: "renoise";
  readonly from: NoiseLevel;
  readonly to: NoiseLevel;
}

export type Row = StepRow | RenoiseRow;

export interface Plan {
  /** Factor on unit noise that gives the first latents. */
  readonly initialScale: number;
  readonly rows: readonly Row[];
}

/** How one model walks: its scheduler, its steps or timesteps, and what is asked of each call. */
export interface Grid extends Walk {
  readonly scheduler: SchedulerConfig;
  readonly guidance: number;
  /** Default 0. */
  readonly guidanceRescale?: number | undefined;
  /** 0 … 1, for DDIM and TCD. Default 0, as diffusers' pipelines pass it. */
  readonly eta?: number | undefined;
}

/** A base model without a grid of its own: it takes the first rows of the distilled grid, the paper's recipe. */
export interface SharedGrid {
  /** What the base's output means; it need not be what the distilled model's means. */
  readonly prediction: Prediction;
  readonly guidance: number;
  /** Default 0. */
  readonly guidanceRescale?: number | undefined;
}

/**
 * What a plan is made from. In a hybrid the base runs first and the distilled model from its row `switch` on: 0 is the
 * distilled model alone, all its rows the base alone. A base that brings no scheduler takes the distilled grid's rows,
 * with their timesteps, solver and eta; a list of rows instead of a number gives it just those. A base with a grid of
 * its own walks that until it is no noisier than the distilled row `switch`, and fresh noise closes the gap.
 *
 * `skip` leaves out that many rows at the beginning: unit noise is then taken for latents at the level of the first row
 * that is left (the paper's Table 4). `switch` and a list of rows count what is left.
 */
export type PlanRequest = { readonly skip?: number | undefined } & (
  | { readonly mode: "base"; readonly base: Grid }
  | { readonly mode: "distilled"; readonly distilled: Grid }
  | {
      readonly mode: "hybrid";
      readonly base: Grid | SharedGrid;
      readonly distilled: Grid;
      readonly switch: number | readonly number[];
    }
);

/** Which models a plan uses. */
export type Mode = PlanRequest["mode"];

/** A plan for a request. @throws RequestError stating what was asked and what would do */
export function makePlan(request: PlanRequest): Plan {
  const { skip = 0 } = request;
  if (request.mode === "base") return planOf(walkGrid("base", request.base, skip));
  if (request.mode === "distilled") return planOf(walkGrid("distilled", request.distilled, skip));
  const { base, switch: k } = request;
  if (typeof k !== "number" || !("scheduler" in base)) {
    if ("scheduler" in base) {
      throw new RequestError(
        "single rows were asked of a base with a grid of its own; leave its scheduler and steps out",
      );
    }
    const distilled = walkGrid("distilled", request.distilled, skip);
    return planOf(shareGrid(distilled, base, typeof k === "number" ? firstRows(distilled, k) : k));
  }
  const distilled = walkGrid("distilled", request.distilled);
  firstRows(distilled, k);
  if (k === 0) return planOf(walkGrid("distilled", request.distilled, skip));
  const own = walkGrid("base", base, skip);
  return planOf(k === distilled.rows.length ? own : handOver(own, request.distilled, distilled, k));
}

/** The rows before the switch. @throws RequestError when there are fewer */
function firstRows({ rows }: Stretch, k: number): readonly number[] {
  if (Number.isInteger(k) && k >= 0 && k <= rows.length) return Array.from({ length: k }, (_, i) => i);
  throw new RequestError(
    `switch is ${k}; expected a whole number from 0 to ${rows.length}, the rows of the distilled schedule`,
  );
}

/** Whether a row needs the unconditional call too. */
export const isGuided = (row: StepRow): boolean => row.guidance > 1;

interface Stretch {
  readonly initialScale: number;
  readonly rows: readonly StepRow[];
}

function planOf({ initialScale, rows }: Plan): Plan {
  for (const row of rows) if (row.kind === "step") checkPrediction(row.prediction, row.at);
  return { initialScale, rows };
}

/** A model on its own grid, from stop `fresh` on. */
function walkGrid(model: ModelName, grid: Grid, fresh = 0): Stretch {
  const found = schedule(grid.scheduler, grid);
  const { length } = found.stops;
  if (!Number.isInteger(fresh) || fresh < 0 || fresh >= length) {
    throw new RequestError(`skip is ${fresh} of ${length} steps; expected a whole number from 0 to ${length - 1}`);
  }
  const { prediction_type: prediction } = grid.scheduler.settings;
  const asked = { model, prediction, ...guidanceOf(model, grid) };
  const rows = legs(grid.scheduler, found, grid.eta ?? 0, fresh).map(({ timestep, at, to, solver }: Leg): StepRow => {
    return { kind: "step", timestep, from: at, at, to, solver, ...asked };
  });
  return { initialScale: found.initialScale(fresh), rows: chain(rows, rows[0]?.from) };
}

/** Each row starts where the one before it ended. */
function chain(rows: readonly StepRow[], start: NoiseLevel | undefined): readonly StepRow[] {
  return rows.map((row, i) => ({ ...row, from: (i === 0 ? start : rows[i - 1]?.to) ?? row.from }));
}

function guidanceOf(model: ModelName, { guidance, guidanceRescale = 0 }: Pick<Grid, "guidance" | "guidanceRescale">) {
  if (!Number.isFinite(guidance) || guidance < 0) {
    throw new RequestError(`guidance of the ${model} model is ${guidance}; expected a number, at least 0`);
  }
  if (!(guidanceRescale >= 0 && guidanceRescale <= 1)) {
    throw new RequestError(`guidance rescale of the ${model} model is ${guidanceRescale}; expected 0 to 1`);
  }
  return { guidance, guidanceRescale };
}

/** Rows of the distilled grid name the base model: the first k in the paper's recipe, any of them to see what each decides. */
function shareGrid(distilled: Stretch, base: SharedGrid, taken: readonly number[]): Stretch {
  const { prediction } = base;
  const asked = { model: "base", prediction, ...guidanceOf("base", base) } as const;
  const { length } = distilled.rows;
  for (const i of taken) {
    const solver = distilled.rows[i]?.solver;
    if (!solver)
      throw new RequestError(`row ${i} was asked of the base; the distilled schedule has rows 0 to ${length - 1}`);
    checkSolver(solver, prediction);
  }
  return { ...distilled, rows: distilled.rows.map((row, i) => (taken.includes(i) ? { ...row, ...asked } : row)) };
}

/** Solvers that have no rule for a predicted x0, as in diffusers. */
function checkSolver(solver: SolverSpec, prediction: Prediction): void {
  if (prediction === "sample" && (solver.kind === "pndm" || solver.kind === "euler-ancestral")) {
    throw new RequestError(
      `the base model predicts sample, which the distilled grid's solver ${solver.kind} does not take`,
    );
  }
}

/** The base on its own grid down to the distilled row k, a row of noise where their levels do not meet, and the rest. */
function handOver(base: Stretch, grid: Grid, distilled: Stretch, k: number): Plan {
  const aim = distilled.rows[k]?.at;
  const arrival = aim ? base.rows.findIndex((row) => !noisier(row.to, aim)) : -1;
  const landed = base.rows[arrival]?.to;
  if (!aim || !landed) {
    const end = base.rows.at(-1)?.to;
    throw new RequestError(
      `the base schedule ends at t ${end?.t}, noisier than the distilled row ${k} at t ${aim?.t}; expected it to reach that level`,
    );
  }
  const meets = sameLevel(landed, aim);
  const rest = walkGrid("distilled", grid, k).rows;
  return {
    initialScale: base.initialScale,
    rows: [
      ...base.rows.slice(0, arrival + 1),
      ...(meets ? [] : [renoiseRow(landed, aim)]),
      ...chain(rest, meets ? landed : aim),
    ],
  };
}

/** A row of fresh noise between two levels. @throws RequestError when `to` is cleaner than `from`: noise cannot be taken away */
export function renoiseRow(from: NoiseLevel, to: NoiseLevel): RenoiseRow {
  if (to.alphaBar > from.alphaBar) {
    throw new RequestError(
      `cannot re-noise from t ${from.t} (σ ${ratioOf(from).toPrecision(4)}) to the cleaner t ${to.t} (σ ${ratioOf(to).toPrecision(4)})`,
    );
  }
  return { kind: "renoise", from, to };
}
