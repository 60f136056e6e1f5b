/**
 * Coefficients of one step of each solver, computed from the schedule. Everything that depends on the scheduler config,
 * on eta or on the position in the schedule is decided here; `advance` applies the coefficients to tensors.
 */
import { RequestError } from "../errors.js";
import { addedVariance, ancestral, karrasSigma, type NoiseLevel } from "./level.js";
import { deis, dpmMultistep, dpmSinglestep, lms } from "./multistep.js";
import type { Schedule, ScheduleStep } from "./schedule.js";
import { type SchedulerConfig, traitsOf } from "./scheduler.js";
import type { SchedulerTraits } from "./scheduler-classes.js";
import type { LinearSpec, SolverContext, SolverRule, SolverSpec, SolverStep } from "./solver-spec.js";
import { TWO_CALL_RULES, twoCallSteps } from "./two-call.js";
import { unipc } from "./unipc.js";

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
  const steps = stepsOf({ config, schedule, eta, fresh });
  for (const { solver, timestep } of steps) if (solver.kind === "linear") checkFinite(config, solver, timestep);
  return steps;
}

function stepsOf(context: SolverContext): readonly SolverStep[] {
  const { config, schedule, fresh } = context;
  const { solver, name } = traitsOf(config);
  if (solver === "pndm") {
    if (fresh > 0) throw new RequestError(`${name} cannot start midway; use another scheduler for the distilled model`);
    return pndmSteps(context);
  }
  if (isTwoCall(solver)) return twoCallSteps(solver, context);
  return schedule.steps.flatMap((step, i) => (i < fresh ? [] : { ...step, solver: RULES[solver](context, step, i) }));
}

type TwoCallSolver = keyof typeof TWO_CALL_RULES;
const isTwoCall = (solver: SchedulerTraits["solver"]): solver is TwoCallSolver => Object.hasOwn(TWO_CALL_RULES, solver);

/** @throws RequestError where the config asks for a step that its formula does not define (diffusers computes NaN there) */
function checkFinite({ className, file }: SchedulerConfig, spec: LinearSpec, timestep: number): void {
  const { xt, kept, noise, outputs, corrector, method } = spec;
  const weights = [xt, kept, noise, ...outputs, ...(corrector ? [corrector.kept, ...corrector.outputs] : [])];
  if (weights.every(Number.isFinite)) return;
  throw new RequestError(
    `${className}: ${method} is not defined at timestep ${timestep}; expected another final_sigmas_type, or lower_order_final = true (${file})`,
  );
}

const RULES: { readonly [K in Exclude<SchedulerTraits["solver"], "pndm" | TwoCallSolver>]: SolverRule } = {
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
  // α x0 + σ z: the noise is replaced at every step (Lu and Song 2024, algorithm 1).
  scm: (_context, { to }) => ({ kind: "euler-ancestral", eps: 0, noise: to.sigma }),
  "euler-ancestral"(_context, { at, to }) {
    const { up, down } = ancestral(karrasSigma(at), karrasSigma(to));
    return { kind: "euler-ancestral", eps: to.alpha * down, noise: to.alpha * up };
  },
  "dpm++": dpmMultistep,
  "dpm++singlestep": dpmSinglestep,
  deis,
  lms,
  unipc,
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
