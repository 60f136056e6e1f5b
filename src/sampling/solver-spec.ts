/**
 * Coefficients of one step, by solver: what a row of a plan holds and `advance` applies. Data only; `solver.ts` computes them.
 */
import { RequestError } from "../errors.js";
import type { NoiseLevel } from "./level.js";
import type { Schedule, ScheduleStep } from "./schedule.js";
import type { SchedulerConfig } from "./scheduler.js";

/**
 * Coefficients of one step. x is x_t, z fresh noise, α and σ belong to the level after the step, x0 and ε are predicted
 * by the network. `draws` is true when the generator is asked for z, also where its weight is 0. `clip` bounds x0 to ±clip.
 */
export type SolverSpec =
  /** α x0 + eps ε + noise z. Song et al. 2021, eq. 12. */
  | {
      readonly kind: "ddim";
      readonly eps: number;
      readonly noise: number;
      readonly draws: boolean;
      readonly clip: number | null;
    }
  /** x0 x0 + xt x + noise z. Ho et al. 2020, eq. 7. */
  | {
      readonly kind: "ddpm";
      readonly x0: number;
      readonly xt: number;
      readonly noise: number;
      readonly draws: boolean;
      readonly clip: number | null;
    }
  /**
   * xt x + eps ε, where ε is the weighted sum of the last outputs (newest first) at the level `alpha`, `sigma`. Liu et al.
   * 2022, eq. 9 and 11. "start" begins a history and keeps x; "repeat" takes the first step again from the kept x with the
   * mean of both outputs; "multistep" is every later step.
   */
  | {
      readonly kind: "pndm";
      readonly stage: "start" | "repeat" | "multistep";
      readonly weights: readonly number[];
      readonly xt: number;
      readonly eps: number;
      readonly alpha: number;
      readonly sigma: number;
    }
  /** α x0 + σ ε: an Euler step in sigma space (Karras et al. 2022, algorithm 1) or along a flow, in terms of α and σ. */
  | { readonly kind: "euler" }
  /** α x0 + eps ε + noise z; always draws. */
  | { readonly kind: "euler-ancestral"; readonly eps: number; readonly noise: number }
  | LinearSpec
  /** d = skip x + out x0, then α d + σ z; the last step returns d. Luo et al. 2023, algorithm 3. */
  | {
      readonly kind: "lcm";
      readonly skip: number;
      readonly out: number;
      readonly draws: boolean;
      readonly clip: number | null;
    }
  /** scale (alpha x0 + sigma ε) + noise z. Zheng et al. 2024, algorithm 4 (strategic stochastic sampling). */
  | {
      readonly kind: "tcd";
      readonly alpha: number;
      readonly sigma: number;
      readonly scale: number;
      readonly noise: number;
      readonly draws: boolean;
    };

/**
 * A step that is linear in the latents and in the predictions of this and of earlier calls: every multistep solver, and every
 * solver that calls the network twice a step.
 *
 *     x' = xt x + kept y + Σ outputs[i] d[i] + noise z
 *
 * d are predictions, newest first; y are the latents that an earlier call kept. A corrector (UniPC) replaces x before the step.
 */
export interface LinearSpec {
  readonly kind: "linear";
  /** Name of the method, for people. */
  readonly method: string;
  /** What d are: predicted x0, or predicted ε. */
  readonly of: "x0" | "eps";
  readonly xt: number;
  readonly kept: number;
  readonly outputs: readonly number[];
  readonly noise: number;
  readonly draws: boolean;
  /** Correlation of z with the previous call's z: both belong to one Brownian path (DPM++ SDE). */
  readonly correlation: number;
  /** Weights of the corrected x. Zhao et al. 2023, UniPC, algorithm 1. */
  readonly corrector: { readonly kept: number; readonly outputs: readonly number[] } | null;
  /** This call's x becomes y for the calls that follow. */
  readonly keeps: boolean;
  /** The step is not finished: the next call continues it. */
  readonly open: boolean;
  readonly clip: number | null;
}

/** A step of the schedule with the solver's coefficients. */
export interface SolverStep extends ScheduleStep {
  readonly solver: SolverSpec;
}

/** Inputs of a rule that makes the coefficients of a step. `fresh` is the step at which the solver's history begins. */
export interface SolverContext {
  readonly config: SchedulerConfig;
  readonly schedule: Schedule;
  readonly eta: number;
  readonly fresh: number;
}

/** Makes the coefficients of step i. */
export type SolverRule = (context: SolverContext, step: ScheduleStep, i: number) => SolverSpec;

/** True for a step of one call that begins from its own latents, which a hand-off by another solver can replace. */
export const takesHandoff = (solver: SolverSpec): boolean =>
  solver.kind !== "pndm" && (solver.kind !== "linear" || (!solver.open && solver.kept === 0));

/**
 * The step of a base that runs a row of the distilled schedule: "ddim" keeps the predicted noise (Song et al. 2021, eq. 12, η = 0), "lcm"
 * draws new noise (Luo et al. 2023, algorithm 3).
 * @throws RequestError for a row that belongs to a step of two calls, or to a history
 */
export function handoffSolver(kind: "ddim" | "lcm", solver: SolverSpec, to: NoiseLevel): SolverSpec {
  if (!takesHandoff(solver)) {
    const name = solver.kind === "linear" ? solver.method : solver.kind;
    throw new RequestError(
      `--handoff ${kind} replaces a step of one call; the distilled schedule's solver ${name} needs several; leave it out`,
      { field: "handoff" },
    );
  }
  if (kind === "lcm" && solver.kind === "lcm") return solver;
  const clip = "clip" in solver ? solver.clip : null;
  return kind === "lcm"
    ? { kind: "lcm", skip: 0, out: 1, draws: to.sigma > 0, clip }
    : { kind: "ddim", eps: to.sigma, noise: 0, draws: false, clip };
}

/** A step of a linear solver, with the values that most solvers share. */
export const linearStep = (
  spec: Pick<LinearSpec, "method" | "of" | "outputs"> & Partial<Omit<LinearSpec, "kind">>,
): LinearSpec => ({
  kind: "linear",
  xt: 0,
  kept: 0,
  noise: 0,
  draws: false,
  correlation: 0,
  corrector: null,
  keeps: false,
  open: false,
  clip: null,
  ...spec,
});
