/**
 * Coefficients of one step of each solver, computed from the schedule. Everything that depends on the scheduler config,
 * on eta or on the position in the schedule is decided here; `advance` applies the coefficients to tensors.
 */
import { RequestError } from "../errors.js";
import { addedVariance, karrasSigma, type NoiseLevel } from "./level.js";
import type { Schedule, ScheduleStep } from "./schedule.js";
import { type SchedulerConfig, traitsOf } from "./scheduler.js";
import type { SchedulerTraits } from "./scheduler-classes.js";

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
  /** xt x + x0 x0 + change (x0 − previous x0). Lu et al. 2022, DPM-Solver++, algorithm 2; first order where change is 0. */
  | { readonly kind: "dpm++2m"; readonly xt: number; readonly x0: number; readonly change: number }
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

/** A step of the schedule with the solver's coefficients. */
export interface SolverStep extends ScheduleStep {
  readonly solver: SolverSpec;
}

/** Inputs of the rules below. `fresh` is the step at which the solver's history begins. */
interface SolverContext {
  readonly config: SchedulerConfig;
  readonly schedule: Schedule;
  readonly eta: number;
  readonly fresh: number;
}

/**
 * Solver steps of a schedule from step `fresh` (0) on, where a multistep solver begins with an empty history.
 * @param eta 0 … 1: stochasticity of DDIM (η) and TCD (γ); other solvers ignore it
 * @throws RequestError when eta is out of range, or the solver cannot start midway
 */
export function solverSteps(
  config: SchedulerConfig,
  schedule: Schedule,
  eta: number,
  fresh = 0,
): readonly SolverStep[] {
  if (!(eta >= 0 && eta <= 1)) throw new RequestError(`eta is ${eta}; expected 0 to 1`);
  const context = { config, schedule, eta, fresh };
  const { solver, name } = traitsOf(config);
  if (solver === "pndm") {
    if (fresh > 0) throw new RequestError(`${name} cannot start midway; use another scheduler for the distilled model`);
    return pndmSteps(context);
  }
  return schedule.steps.map((step, i) => ({ ...step, solver: RULES[solver](context, step, i) })).slice(fresh);
}

type SolverRule = (context: SolverContext, step: ScheduleStep, i: number) => SolverSpec;

const RULES: { readonly [K in Exclude<SchedulerTraits["solver"], "pndm">]: SolverRule } = {
  ddim({ config, eta }, { at, to }) {
    // σ_t(η)² of eq. 16.
    const variance = eta * eta * posteriorVariance(at, to);
    const eps = Math.sqrt(Math.max(to.sigma ** 2 - variance, 0));
    return { kind: "ddim", eps, noise: Math.sqrt(variance), draws: eta > 0, clip: clipOf(config) };
  },
  ddpm({ config }, { timestep, at, to }) {
    const draws = timestep > 0;
    const added = addedVariance(to, at);
    const variance =
      config.settings.variance_type === "fixed_large" ? added : Math.max(posteriorVariance(at, to), 1e-20);
    return {
      kind: "ddpm",
      x0: (to.alpha * added) / at.sigma ** 2,
      xt: ((at.alpha / to.alpha) * to.sigma ** 2) / at.sigma ** 2,
      noise: draws ? Math.sqrt(variance) : 0,
      draws,
      clip: clipOf(config),
    };
  },
  euler({ config }, { to }) {
    // stochastic_sampling of FlowMatchEuler replaces the noise at every step: α x0 + σ z.
    return config.settings.stochastic_sampling
      ? { kind: "euler-ancestral", eps: 0, noise: to.sigma }
      : { kind: "euler" };
  },
  "euler-ancestral"(_context, { at, to }) {
    // k-diffusion splits σ_to into the level of an Euler step (down) and fresh noise (up).
    const [from, target] = [karrasSigma(at), karrasSigma(to)];
    const up = Math.sqrt((target ** 2 * (from ** 2 - target ** 2)) / from ** 2);
    const down = Math.sqrt(Math.max(target ** 2 - up ** 2, 0));
    return { kind: "euler-ancestral", eps: to.alpha * down, noise: to.alpha * up };
  },
  "dpm++2m"({ config, schedule, fresh }, { at, to }, i) {
    const { solver_order, solver_type, lower_order_final, euler_at_final, final_sigmas_type } = config.settings;
    // λ = log(α / σ); h = λ_to − λ_at is infinite for a step to σ = 0.
    const shrink = (at.alpha / at.sigma) * (to.sigma / to.alpha);
    const x0 = to.alpha * (1 - shrink);
    const spec = { kind: "dpm++2m", xt: to.sigma / at.sigma, x0, change: 0 } as const;
    const { length } = schedule.steps;
    const lowFinal =
      i === length - 1 && (euler_at_final || (lower_order_final && length < 15) || final_sigmas_type === "zero");
    const before = schedule.steps[i - 1];
    if (solver_order === 1 || i <= fresh || lowFinal || !before) return spec;
    const h = -Math.log(shrink);
    const h0 = Math.log(karrasSigma(before.at) / karrasSigma(at));
    const change = solver_type === "midpoint" ? x0 / 2 : to.alpha * (1 - (1 - shrink) / h);
    return { ...spec, change: (change * h) / h0 };
  },
  lcm({ config, schedule }, { timestep }, i) {
    // Boundary scalings with σ_data = 0.5 (Luo et al. 2023, appendix C).
    const scaled = timestep * config.settings.timestep_scaling;
    const norm = scaled ** 2 + 0.25;
    const draws = i < schedule.steps.length - 1;
    return { kind: "lcm", skip: 0.25 / norm, out: scaled / Math.sqrt(norm), draws, clip: clipOf(config) };
  },
  tcd({ schedule, eta }, { to }, i) {
    // torch multiplies in float32 before it takes the floor.
    const middle = schedule.levelAt(Math.floor(Math.fround(Math.fround(1 - eta) * to.t)));
    const draws = eta > 0 && i < schedule.steps.length - 1;
    return {
      kind: "tcd",
      alpha: middle.alpha,
      sigma: middle.sigma,
      scale: draws ? to.alpha / middle.alpha : 1,
      noise: draws ? Math.sqrt(addedVariance(middle, to)) : 0,
      draws,
    };
  },
};

/** Variance of q(x_to | x_at, x0): Ho et al. 2020, eq. 7. */
const posteriorVariance = (at: NoiseLevel, to: NoiseLevel): number =>
  (to.sigma ** 2 / at.sigma ** 2) * addedVariance(to, at);

const clipOf = ({ settings }: SchedulerConfig): number | null =>
  settings.clip_sample ? settings.clip_sample_range : null;

/** Adams–Bashforth weights for one to four outputs, newest first (Liu et al. 2022, eq. 12). */
const ADAMS_BASHFORTH: readonly (readonly number[])[] = [
  [1],
  [3 / 2, -1 / 2],
  [23 / 12, -16 / 12, 5 / 12],
  [55 / 24, -59 / 24, 37 / 24, -9 / 24],
];

/**
 * PNDM without Runge–Kutta steps (PLMS) takes one step more than it has timesteps: the network is called twice at the
 * second timestep, first to correct the step that led to it.
 */
function pndmSteps({ config, schedule }: SolverContext): readonly SolverStep[] {
  const { steps, levelAt } = schedule;
  const stride = Math.floor(config.settings.num_train_timesteps / steps.length);
  const stepOf = (step: ScheduleStep, from: NoiseLevel, stage: PndmStage, weights: readonly number[]): SolverStep => ({
    ...step,
    solver: { kind: "pndm", stage, weights, ...transfer(from, step.to), alpha: from.alpha, sigma: from.sigma },
  });
  return steps.flatMap((step, i) => {
    if (i === 0) return [stepOf(step, step.at, "start", [1])];
    const onward = stepOf(step, step.at, "multistep", ADAMS_BASHFORTH[Math.min(i, 3)] ?? [1]);
    if (i > 1) return [onward];
    return [stepOf({ ...step, to: step.at }, levelAt(step.timestep + stride), "repeat", [1 / 2, 1 / 2]), onward];
  });
}

type PndmStage = Extract<SolverSpec, { kind: "pndm" }>["stage"];

/** Weights of x and ε in a step from one level to another: Liu et al. 2022, eq. 9, which simplifies to σ' − (α' / α) σ. */
function transfer(from: NoiseLevel, to: NoiseLevel): { readonly xt: number; readonly eps: number } {
  const xt = to.alpha / from.alpha;
  return { xt, eps: to.sigma - xt * from.sigma };
}
