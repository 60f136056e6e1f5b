/**
 * Sampling plans: one row per step with the model, the timestep, the noise levels and the solver's coefficients. A plan is
 * plain JSON; written to a file and read back it gives the same images. Makes plans, does not run them.
 */
import { RequestError } from "../errors.js";
import { anchored } from "./anchor.js";
import type { Choice } from "./choice-spec.js";
import type { DynamicShift } from "./flow-sigmas.js";
import type { Hook } from "./hooks/hook.js";
import { CLEAN, karrasSigma, type NoiseLevel, noiseShare, noisier, sameLevel } from "./level.js";
import type { Handoff } from "./options.js";
import { checkPrediction } from "./parameterisation.js";
import { type Schedule, schedule } from "./schedule.js";
import { kindOf, type SchedulerConfig } from "./scheduler.js";
import type { Prediction } from "./scheduler-fields.js";
import { solverSteps } from "./solver.js";
import { handoffSolver, type SolverSpec, type SolverStep } from "./solver-spec.js";
import type { TimestepSpec } from "./timesteps.js";

/** A model of the pair. */
export type ModelName = "base" | "distilled";

/** One network call and one solver step. */
export interface StepRow {
  readonly kind: "step";
  readonly model: ModelName;
  /** Timestep passed to the network; may be fractional. */
  readonly timestep: number;
  /** Noise level of the latents: the previous row's `to`. */
  readonly from: NoiseLevel;
  /** Noise level the solver assumes; differs from `from` only for DDIM and PNDM, whose steps miss the next timestep by rounding. */
  readonly at: NoiseLevel;
  readonly to: NoiseLevel;
  readonly prediction: Prediction;
  /** Classifier-free guidance scale; at 1 or less there is one conditional forward. */
  readonly guidance: number;
  /** Scale of classifier-free guidance for a network that takes `guidance` as an input; default 1, one forward. */
  readonly trueGuidance?: number;
  /** 0 … 1: φ of Lin et al. 2023, section 3.4. */
  readonly guidanceRescale: number;
  /** Largest norm of the guided prediction, as a multiple of that of the conditional one; absent for no limit. */
  readonly guidanceNormalization?: number;
  /** Side in latents of the tokens in each of which the guided prediction gets the norm of the conditional one; absent where norms are left. */
  readonly guidanceTokens?: number;
  readonly solver: SolverSpec;
  /** Scale of the distilled LoRA; default 1. */
  readonly loraScale?: number;
  /** Hooks of diversity methods, in the order in which they are applied. */
  readonly hooks?: readonly Hook[];
  /** Samples of each prompt that go on after this step. */
  readonly choice?: Choice;
}

/** Adds fresh noise up to exactly the noise level of the next row. */
export interface RenoiseRow {
  readonly kind: "renoise";
  readonly from: NoiseLevel;
  readonly to: NoiseLevel;
}

export type Row = StepRow | RenoiseRow;

export interface Plan {
  /** Factor on unit noise that gives the initial latents (diffusers' init_noise_sigma). */
  readonly initNoiseScale: number;
  readonly rows: readonly Row[];
}

/** Sampler of one model: scheduler, number of steps or timesteps, guidance; for flow schedules the image size. */
export interface SamplerConfig extends TimestepSpec, DynamicShift {
  readonly scheduler: SchedulerConfig;
  readonly guidance: number;
  /** Default: 1. */
  readonly trueGuidance?: number | undefined;
  /** Default 0. */
  readonly guidanceRescale?: number | undefined;
  /** Default: no limit. */
  readonly guidanceNormalization?: number | undefined;
  /** As in `StepRow`. Default: norms are left. */
  readonly guidanceTokens?: number | undefined;
  /** Rows at which 1 − t / 1000 exceeds this share have no guidance. Default: none. */
  readonly guidanceTruncation?: number | undefined;
  /** 0 … 1, for DDIM and TCD. Default 0, as diffusers' pipelines pass it. */
  readonly eta?: number | undefined;
}

/** A base model that runs the first steps of the distilled model's schedule (the paper's recipe). */
export interface SharedSchedule {
  /** Prediction type of the base model; may differ from the distilled model's. */
  readonly prediction: Prediction;
  readonly guidance: number;
  /** As in `SamplerConfig`. */
  readonly trueGuidance?: number | undefined;
  /** Default 0. */
  readonly guidanceRescale?: number | undefined;
  /** As in `SamplerConfig`. */
  readonly guidanceNormalization?: number | undefined;
  readonly guidanceTokens?: number | undefined;
  readonly guidanceTruncation?: number | undefined;
  /** Default: the solver of the schedule. */
  readonly handoff?: Handoff | undefined;
}

/**
 * Input of `makePlan`. In a hybrid the base model runs first and the distilled model from its row `switch` on: with 0 the
 * distilled model runs alone, with all its rows the base. A base without a scheduler runs rows of the distilled schedule,
 * with their timesteps, solver and eta: those of the first `switch` steps, or those listed. A base with its own schedule runs until it is
 * no noisier than the distilled row `switch`; a re-noise row then brings the latents to exactly that level.
 *
 * `skip` drops that many rows at the beginning: unit noise is used as the latents of the first remaining row (the paper's
 * Table 4). `switch` and listed rows count the remaining rows.
 */
export type PlanRequest = { readonly skip?: number | undefined } & (
  | { readonly mode: "base"; readonly base: SamplerConfig }
  | { readonly mode: "distilled"; readonly distilled: SamplerConfig }
  | {
      readonly mode: "hybrid";
      readonly base: SamplerConfig | SharedSchedule;
      readonly distilled: SamplerConfig;
      readonly switch: number | readonly number[];
      /** Number of steps of the base's own schedule, from whose end the latents jump to the distilled row `switch`. Default: no jump. */
      readonly anchor?: number | undefined;
    }
);

/** Models that a plan uses. */
export type Mode = PlanRequest["mode"];

/** The plan for a request. @throws RequestError stating the actual and the expected value */
export function makePlan(request: PlanRequest): Plan {
  const { skip = 0 } = request;
  if (request.mode === "base") return planOf(segmentOf("base", request.base, skip));
  if (request.mode === "distilled") return planOf(segmentOf("distilled", request.distilled, skip));
  const { base, switch: k } = request;
  if (typeof k !== "number" || !("scheduler" in base)) {
    if ("scheduler" in base) {
      throw new RequestError("rows are listed for a base with its own schedule; leave its scheduler and steps out");
    }
    const distilled = segmentOf("distilled", request.distilled, skip);
    return planOf(shareSchedule(distilled, base, typeof k === "number" ? firstRows(distilled, k) : k));
  }
  const distilled = segmentOf("distilled", request.distilled);
  const first = firstRows(distilled, k).length;
  if (k === 0 && request.anchor !== undefined) {
    throw new RequestError("--anchor jumps to the row of the switch; expected --switch 1 or more", { field: "anchor" });
  }
  if (k === 0) return planOf(segmentOf("distilled", request.distilled, skip));
  const own = segmentOf("base", base, skip);
  if (first === distilled.rows.length) return planOf(own);
  const target = distilled.rows[first]?.at ?? CLEAN;
  if (request.anchor === undefined) {
    return planOf(handOff(segmentOf("base", base, skip, target), request.distilled, distilled, k));
  }
  const rest = segmentOf("distilled", request.distilled, k);
  return planOf({ ...own, rows: [...anchored(own.rows, request.anchor, target), ...chain(rest.rows, target)] });
}

/**
 * Number of initial steps after which a schedule is nearest to a noise level.
 * @param share σ / (α + σ), 0 to 1
 */
export function stepsToLevel(config: SamplerConfig, share: number): number {
  const { steps } = schedule(config.scheduler, config, config);
  const levels = [...steps.map(({ at }) => at), ...steps.slice(-1).map(({ to }) => to)];
  const distance = levels.map((level) => Math.abs(noiseShare(level) - share));
  return distance.indexOf(Math.min(...distance));
}

/** Rows of the steps before the switch: a step that calls the network twice has two. @throws RequestError when there are fewer steps */
function firstRows({ rows }: Segment, k: number): readonly number[] {
  const ends = rows.flatMap((row, i) => (isOpen(row) ? [] : [i + 1]));
  const count = k === 0 ? 0 : ends[k - 1];
  if (count !== undefined) return Array.from({ length: count }, (_, i) => i);
  const noun = ends.length === rows.length ? "rows" : "steps";
  throw new RequestError(
    `switch is ${k}; expected an integer from 0 to ${ends.length}, the number of ${noun} of the distilled schedule`,
  );
}

/** True for a row that the next row continues: the first of two calls of one step. */
export const isOpen = ({ solver }: StepRow): boolean => solver.kind === "linear" && solver.open;

/** Number of steps of a plan: two calls of one step count once, re-noise rows not. */
export const stepCount = ({ rows }: Pick<Plan, "rows">): number =>
  rows.filter((row) => row.kind === "step" && !isOpen(row)).length;

/** True when a row needs an unconditional forward pass as well, unless its network takes the guidance scale as an input. */
export const isGuided = (row: StepRow): boolean => row.guidance > 1;

/** Scale of classifier-free guidance by two forward passes; at 1 or less there is one. */
export const twoSidedScale = (row: StepRow, embedsGuidance: boolean): number =>
  embedsGuidance ? (row.trueGuidance ?? 1) : row.guidance;

/** True when a row needs an unconditional forward pass as well. */
export const isTwoSided = (row: StepRow, embedsGuidance: boolean): boolean => twoSidedScale(row, embedsGuidance) > 1;

/** Consecutive rows of one scheduler. */
interface Segment {
  readonly initNoiseScale: number;
  readonly rows: readonly StepRow[];
}

function planOf({ initNoiseScale, rows }: Plan): Plan {
  for (const row of rows) if (row.kind === "step") checkPrediction(row.prediction, row.at);
  return { initNoiseScale, rows };
}

/**
 * The rows of a model on its own schedule, from step `fresh` on.
 * @param end level of a hand-off, at which a step of a flow ends that would pass it: its sigmas are free
 */
function segmentOf(model: ModelName, config: SamplerConfig, fresh = 0, end?: NoiseLevel): Segment {
  const whole = schedule(config.scheduler, config, config);
  const made = end && kindOf(config.scheduler) === "flow-matching" ? endingAt(whole, end) : whole;
  const { length } = made.steps;
  if (!Number.isInteger(fresh) || fresh < 0 || fresh >= length) {
    throw new RequestError(`skip is ${fresh} of ${length} steps; expected an integer from 0 to ${length - 1}`);
  }
  const { prediction_type: prediction } = config.scheduler.settings;
  const guidanceAt = guidanceOf(model, config);
  const rows = solverSteps(config.scheduler, made, config.eta ?? 0, fresh).map(
    ({ timestep, at, to, solver }: SolverStep): StepRow => {
      return { kind: "step", model, timestep, from: at, at, to, prediction, ...guidanceAt(timestep), solver };
    },
  );
  return { initNoiseScale: made.initNoiseScale(fresh), rows: chain(rows, rows[0]?.from) };
}

/** The schedule with a step that ends at a level, where one begins above it and would end below. */
function endingAt(whole: Schedule, end: NoiseLevel): Schedule {
  const last = whole.steps.findIndex(({ to }) => !noisier(to, end));
  return { ...whole, steps: whole.steps.map((step, i) => (i === last ? { ...step, to: end } : step)) };
}

/** Sets `from` of each row to the previous row's `to`. */
function chain(rows: readonly StepRow[], start: NoiseLevel | undefined): readonly StepRow[] {
  return rows.map((row, i) => ({ ...row, from: (i === 0 ? start : rows[i - 1]?.to) ?? row.from }));
}

type Guidance = Pick<
  SamplerConfig,
  "guidance" | "trueGuidance" | "guidanceRescale" | "guidanceNormalization" | "guidanceTokens" | "guidanceTruncation"
>;

/** Guidance of a model at a timestep. */
function guidanceOf(model: ModelName, config: Guidance) {
  const { guidance, trueGuidance, guidanceRescale = 0, guidanceNormalization: limit, guidanceTruncation: end } = config;
  const { guidanceTokens: side } = config;
  if (!Number.isFinite(guidance) || guidance < 0) {
    throw new RequestError(`guidance of the ${model} model is ${guidance}; expected a number, at least 0`);
  }
  if (!(guidanceRescale >= 0 && guidanceRescale <= 1)) {
    throw new RequestError(`guidance rescale of the ${model} model is ${guidanceRescale}; expected 0 to 1`);
  }
  const isOver = (timestep: number) => end !== undefined && Math.fround((1000 - timestep) / 1000) > end;
  return (timestep: number) => ({
    // A scale of 1 is one conditional forward.
    guidance: isOver(timestep) ? Math.min(guidance, 1) : guidance,
    ...(trueGuidance !== undefined && { trueGuidance: isOver(timestep) ? Math.min(trueGuidance, 1) : trueGuidance }),
    guidanceRescale,
    ...(limit !== undefined && { guidanceNormalization: limit }),
    // One forward has the norms of its prediction.
    ...(side !== undefined && guidance > 1 && !isOver(timestep) && { guidanceTokens: side }),
  });
}

/** The distilled schedule with the rows `taken` given to the base model. */
function shareSchedule(distilled: Segment, base: SharedSchedule, taken: readonly number[]): Segment {
  const { prediction, handoff = "schedule" } = base;
  const guidanceAt = guidanceOf("base", base);
  const { length } = distilled.rows;
  for (const i of taken) {
    const row = distilled.rows[i];
    if (!row)
      throw new RequestError(`row ${i} is listed for the base; the distilled schedule has rows 0 to ${length - 1}`);
    checkShared(row, prediction);
  }
  const own = ({ guidanceNormalization: _, trueGuidance: __, guidanceTokens: ___, ...row }: StepRow): StepRow => ({
    ...row,
    model: "base",
    prediction,
    ...guidanceAt(row.timestep),
    solver: handoff === "schedule" ? row.solver : handoffSolver(handoff, row.solver, row.to),
  });
  return { ...distilled, rows: distilled.rows.map((row, i) => (taken.includes(i) ? own(row) : row)) };
}

/** @throws RequestError when a base with this prediction type cannot run a row of the distilled schedule */
function checkShared({ solver, prediction: distilled }: StepRow, base: Prediction): void {
  const [one, other] = [formulationOf(base), formulationOf(distilled)];
  if (one !== other) {
    throw new RequestError(
      `the base model predicts ${base} and the distilled model ${distilled}; a ${one} and a ${other} model share no schedule`,
    );
  }
  // diffusers defines neither solver for x0 prediction.
  if (base === "sample" && (solver.kind === "pndm" || solver.kind === "euler-ancestral")) {
    throw new RequestError(
      `the base model predicts sample, which the distilled schedule's solver ${solver.kind} does not support`,
    );
  }
}

const formulationOf = (prediction: Prediction): "flow" | "diffusion" | "EDM" =>
  prediction === "flow_prediction" ? "flow" : prediction.startsWith("edm") ? "EDM" : "diffusion";

/**
 * The base on its own schedule down to the distilled row k, and the distilled rest. The last step of a flow ends at the level of row k; for
 * other models, a re-noise row leads to it where the levels differ.
 */
function handOff(base: Segment, config: SamplerConfig, distilled: Segment, k: number): Plan {
  const target = distilled.rows[firstRows(distilled, k).length]?.at;
  const last = target ? base.rows.findIndex((row) => !isOpen(row) && !noisier(row.to, target)) : -1;
  const reached = base.rows[last]?.to;
  if (!target || !reached) {
    const end = base.rows.at(-1)?.to;
    throw new RequestError(
      `the base schedule ends at t ${end?.t}, noisier than the distilled row ${k} at t ${target?.t}; expected it to reach that level`,
    );
  }
  const rest = segmentOf("distilled", config, k).rows;
  const own = base.rows.slice(0, last + 1);
  const equal = sameLevel(reached, target);
  return {
    initNoiseScale: base.initNoiseScale,
    rows: [...own, ...(equal ? [] : [renoiseRow(reached, target)]), ...chain(rest, equal ? reached : target)],
  };
}

/** A row that adds noise from one level to another. @throws RequestError when `to` has less noise than `from` */
export function renoiseRow(from: NoiseLevel, to: NoiseLevel): RenoiseRow {
  if (noisier(from, to)) {
    throw new RequestError(
      `cannot re-noise from t ${from.t} (σ ${karrasSigma(from).toPrecision(4)}) to the cleaner t ${to.t} (σ ${karrasSigma(to).toPrecision(4)})`,
    );
  }
  return { kind: "renoise", from, to };
}
