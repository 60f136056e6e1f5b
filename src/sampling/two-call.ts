/**
 * Solvers that call the network twice a step, at its start and at its end or middle: Heun, DPM2, DPM2 ancestral, DPM++ SDE. Every
 * call is a row. The last step, to a clean latent, has one call.
 */
import { ancestral, karrasSigma, levelOfKarrasSigma, type NoiseLevel } from "./level.js";
import type { ScheduleStep } from "./schedule.js";
import { type LinearSpec, linearStep, type SolverContext, type SolverStep } from "./solver-spec.js";

/** The level of the second call, and the coefficients of both calls. */
interface TwoCalls {
  readonly middle: NoiseLevel;
  readonly first: LinearSpec;
  readonly second: LinearSpec;
}
type TwoCallRule = (context: SolverContext, step: ScheduleStep) => TwoCalls;

const clipOf = ({ config: { settings } }: SolverContext): number | null =>
  settings.clip_sample ? settings.clip_sample_range : null;

/** Heun's method in σ. Karras et al. 2022, algorithm 1. */
const heun: TwoCallRule = (context, { at, to }) => {
  const half = (to.alpha * (karrasSigma(to) - karrasSigma(at))) / 2;
  const shared = { method: "heun", of: "eps", clip: clipOf(context) } as const;
  return {
    middle: to,
    first: linearStep({ ...shared, xt: to.alpha / at.alpha, outputs: [2 * half] }),
    second: linearStep({ ...shared, kept: to.alpha / at.alpha, outputs: [half, half] }),
  };
};

/** Euler step from `at` down to this Karras sigma, in the latents of `to`: x = α (x_at / α_at + ε (σ − σ_at)). */
const eulerTo = (at: NoiseLevel, to: NoiseLevel, sigma: number) => ({
  xt: to.alpha / at.alpha,
  outputs: [to.alpha * (sigma - karrasSigma(at))],
});

/** Level halfway in log σ. */
function halfway({ schedule }: SolverContext, from: number, to: number): NoiseLevel {
  const sigma = Math.sqrt(from * to);
  return levelOfKarrasSigma(schedule.timestepOf(sigma), sigma);
}

/** DPM-Solver-2 as k-diffusion has it: an Euler step to the middle, and the whole step with the derivative there. */
const dpm2: TwoCallRule = (context, step) => midpoint(context, step, "dpm2", karrasSigma(step.to), 0);

/** DPM2 with ancestral noise: the step ends below the level, and fresh noise brings it up. */
const dpm2Ancestral: TwoCallRule = (context, step) => {
  const { up, down } = ancestral(karrasSigma(step.at), karrasSigma(step.to));
  return midpoint(context, step, "dpm2 a", down, up);
};

function midpoint(
  context: SolverContext,
  { at, to }: ScheduleStep,
  method: string,
  down: number,
  up: number,
): TwoCalls {
  const middle = halfway(context, karrasSigma(at), down);
  const { xt, outputs } = eulerTo(at, to, down);
  return {
    middle,
    first: linearStep({ method, of: "eps", ...eulerTo(at, middle, karrasSigma(middle)) }),
    second: linearStep({ method, of: "eps", kept: xt, outputs, noise: to.alpha * up, draws: up > 0 }),
  };
}

/**
 * DPM-Solver++ for the SDE, as k-diffusion's dpmpp_sde with r = 1/2 and η = 1. Both calls follow one Brownian path in σ, so the
 * noise of the second contains that of the first.
 */
const dpmSde: TwoCallRule = (context, { at, to }) => {
  const [from, end] = [karrasSigma(at), karrasSigma(to)];
  const middle = halfway(context, from, end);
  const stage = (level: NoiseLevel) => {
    const { up, down } = ancestral(from, karrasSigma(level));
    const weight = (level.alpha * down) / from / at.alpha;
    return { weight, outputs: [level.alpha * (1 - down / from)], noise: level.alpha * up };
  };
  const shared = { method: "dpm++ sde", of: "x0", draws: true } as const;
  const [half, whole] = [stage(middle), stage(to)];
  return {
    middle,
    first: linearStep({ ...shared, xt: half.weight, outputs: half.outputs, noise: half.noise }),
    second: linearStep({
      ...shared,
      kept: whole.weight,
      outputs: whole.outputs,
      noise: whole.noise,
      correlation: Math.sqrt((from - karrasSigma(middle)) / (from - end)),
    }),
  };
};

export const TWO_CALL_RULES = { heun, dpm2, "dpm2-ancestral": dpm2Ancestral, "dpm++sde": dpmSde } as const;

/** Rows of a solver that calls the network twice a step: 2 n − 1 for n steps to a clean latent. */
export function twoCallSteps(kind: keyof typeof TWO_CALL_RULES, context: SolverContext): readonly SolverStep[] {
  return context.schedule.steps.slice(context.fresh).flatMap((step) => {
    if (step.to.sigma === 0) {
      const spec = { method: kind, of: "eps", clip: clipOf(context), ...eulerTo(step.at, step.to, 0) } as const;
      return [{ ...step, solver: linearStep(spec) }];
    }
    const { middle, first, second } = TWO_CALL_RULES[kind](context, step);
    return [
      { ...step, to: middle, solver: { ...first, keeps: true, open: true } },
      { timestep: timestepAt(context, step, middle), at: middle, to: step.to, solver: second },
    ];
  });
}

/** Timestep of the second call: that of the next step where it is at its level, else the middle's. */
function timestepAt({ schedule }: SolverContext, step: ScheduleStep, middle: NoiseLevel): number {
  const next = schedule.steps.find((other) => other.at === step.to);
  return middle === step.to && next ? next.timestep : Math.fround(middle.t);
}
