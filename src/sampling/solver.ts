/**
 * One step of each solver as numbers: what a row of a plan holds, worked out from the schedule. Everything that depends
 * on the config, on eta or on the place in the schedule is decided here; taking the step (`advance`) is arithmetic.
 */
import { RequestError } from "../errors.js";
import { type NoiseLevel, ratioOf } from "./level.js";
import type { Schedule, Stop } from "./schedule.js";
import { familyOf, type SchedulerConfig, type SchedulerFamily } from "./scheduler.js";

/**
 * The numbers of one step. x is x_t, z fresh noise, α and σ those of the level to arrive at, x0 and ε as the network's
 * output implies them. `draws` says whether the generator is asked for z: some solvers draw what they then weigh with 0.
 * `clip` bounds x0 to ±clip.
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
   * xt x + eps ε, where ε comes from the weighted outputs (newest first) at the level `alpha`, `sigma`. Liu et al. 2022,
   * eq. 9 and 11. "start" begins a history and keeps x; "repeat" takes that first step again from the kept x, with the mean
   * of both outputs; "multistep" goes on.
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
  /** α x0 + σ ε: an Euler step in sigma space, seen from variance-preserving space. Karras et al. 2022, algorithm 1. */
  | { readonly kind: "euler" }
  /** α x0 + eps ε + noise z; always draws. */
  | { readonly kind: "euler-ancestral"; readonly eps: number; readonly noise: number }
  /** xt x + x0 x0 + change (x0 − x0 of the step before). Lu et al. 2022, DPM-Solver++, algorithm 2. change 0 is first order. */
  | { readonly kind: "dpm++2m"; readonly xt: number; readonly x0: number; readonly change: number }
  /** d = skip x + out x0; then α d + σ z, or d itself on the last step. Luo et al. 2023, algorithm 3. */
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

/** A stop of the schedule with the step that leaves it. */
export interface Leg extends Stop {
  readonly solver: SolverSpec;
}

/** What the rules below work from. `fresh` is the stop where history begins. */
interface Walked {
  readonly config: SchedulerConfig;
  readonly schedule: Schedule;
  readonly eta: number;
  readonly fresh: number;
}

/**
 * The steps of a schedule from stop `fresh` (0) on; a solver with history begins anew there.
 * @param eta 0 … 1: how much fresh noise DDIM and TCD (where the paper calls it γ) add; others do not ask
 * @throws RequestError when eta is out of range, or the solver cannot be entered midway
 */
export function legs(config: SchedulerConfig, schedule: Schedule, eta: number, fresh = 0): readonly Leg[] {
  if (!(eta >= 0 && eta <= 1)) throw new RequestError(`eta is ${eta}; expected 0 to 1`);
  const walked = { config, schedule, eta, fresh };
  const { solver, name } = familyOf(config);
  if (solver === "pndm") {
    if (fresh > 0)
      throw new RequestError(`${name} cannot be entered midway; take another scheduler for the model that goes on`);
    return pndmLegs(walked);
  }
  return schedule.stops.map((stop, i) => ({ ...stop, solver: STEPS[solver](walked, stop, i) })).slice(fresh);
}

type Step = (walked: Walked, stop: Stop, i: number) => SolverSpec;

const STEPS: { readonly [K in Exclude<SchedulerFamily["solver"], "pndm">]: Step } = {
  ddim({ config, eta }, { at, to }) {
    // σ_t(η)² of eq. 16.
    const variance = eta * eta * posteriorVariance(at, to);
    const eps = Math.sqrt(Math.max(1 - to.alphaBar - variance, 0));
    return { kind: "ddim", eps, noise: Math.sqrt(variance), draws: eta > 0, clip: clipOf(config) };
  },
  ddpm({ config }, { timestep, at, to }) {
    const kept = at.alphaBar / to.alphaBar;
    const draws = timestep > 0;
    const variance =
      config.settings.variance_type === "fixed_large" ? 1 - kept : Math.max(posteriorVariance(at, to), 1e-20);
    return {
      kind: "ddpm",
      x0: (to.alpha * (1 - kept)) / (1 - at.alphaBar),
      xt: (Math.sqrt(kept) * (1 - to.alphaBar)) / (1 - at.alphaBar),
      noise: draws ? Math.sqrt(variance) : 0,
      draws,
      clip: clipOf(config),
    };
  },
  euler: () => ({ kind: "euler" }),
  "euler-ancestral"(_walked, { at, to }) {
    // k-diffusion's split of σ_to into a part to step down to and a part to draw afresh.
    const [from, aim] = [ratioOf(at), ratioOf(to)];
    const up = Math.sqrt((aim ** 2 * (from ** 2 - aim ** 2)) / from ** 2);
    const down = Math.sqrt(Math.max(aim ** 2 - up ** 2, 0));
    return { kind: "euler-ancestral", eps: to.alpha * down, noise: to.alpha * up };
  },
  "dpm++2m"({ config, schedule, fresh }, { at, to }, i) {
    const { solver_order, solver_type, lower_order_final, euler_at_final, final_sigmas_type } = config.settings;
    // λ = log(alpha / sigma); h = λ_to − λ_at is infinite where the step ends clean.
    const shrink = (at.alpha / at.sigma) * (to.sigma / to.alpha);
    const x0 = to.alpha * (1 - shrink);
    const spec = { kind: "dpm++2m", xt: to.sigma / at.sigma, x0, change: 0 } as const;
    const { length } = schedule.stops;
    const lowFinal =
      i === length - 1 && (euler_at_final || (lower_order_final && length < 15) || final_sigmas_type === "zero");
    const before = schedule.stops[i - 1];
    if (solver_order === 1 || i <= fresh || lowFinal || !before) return spec;
    const h = -Math.log(shrink);
    const h0 = Math.log(ratioOf(before.at) / ratioOf(at));
    const change = solver_type === "midpoint" ? x0 / 2 : to.alpha * (1 - (1 - shrink) / h);
    return { ...spec, change: (change * h) / h0 };
  },
  lcm({ config, schedule }, { timestep }, i) {
    // Boundary scalings with σ_data = 0.5 (Luo et al. 2023, appendix C).
    const scaled = timestep * config.settings.timestep_scaling;
    const norm = scaled ** 2 + 0.25;
    const draws = i < schedule.stops.length - 1;
    return { kind: "lcm", skip: 0.25 / norm, out: scaled / Math.sqrt(norm), draws, clip: clipOf(config) };
  },
  tcd({ schedule, eta }, { to }, i) {
    // torch multiplies in float32 before it takes the floor.
    const middle = schedule.levelAt(Math.floor(Math.fround(Math.fround(1 - eta) * to.t)));
    const draws = eta > 0 && i < schedule.stops.length - 1;
    const kept = to.alphaBar / middle.alphaBar;
    return {
      kind: "tcd",
      alpha: middle.alpha,
      sigma: middle.sigma,
      scale: draws ? Math.sqrt(kept) : 1,
      noise: draws ? Math.sqrt(1 - kept) : 0,
      draws,
    };
  },
};

/** Variance of q(x_to | x_at, x0): Ho et al. 2020, eq. 7. */
const posteriorVariance = (at: NoiseLevel, to: NoiseLevel): number =>
  ((1 - to.alphaBar) / (1 - at.alphaBar)) * (1 - at.alphaBar / to.alphaBar);

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
 * PNDM without Runge–Kutta steps runs one row more than it has timesteps: the second timestep is visited twice, first to
 * correct the step that led to it.
 */
function pndmLegs({ config, schedule }: Walked): readonly Leg[] {
  const { stops, levelAt } = schedule;
  const stride = Math.floor(config.settings.num_train_timesteps / stops.length);
  const leg = (stop: Stop, from: NoiseLevel, stage: PndmStage, weights: readonly number[]): Leg => ({
    ...stop,
    solver: { kind: "pndm", stage, weights, ...transfer(from, stop.to), alpha: from.alpha, sigma: from.sigma },
  });
  return stops.flatMap((stop, i) => {
    if (i === 0) return [leg(stop, stop.at, "start", [1])];
    const onward = leg(stop, stop.at, "multistep", ADAMS_BASHFORTH[Math.min(i, 3)] ?? [1]);
    if (i > 1) return [onward];
    return [leg({ ...stop, to: stop.at }, levelAt(stop.timestep + stride), "repeat", [1 / 2, 1 / 2]), onward];
  });
}

type PndmStage = Extract<SolverSpec, { kind: "pndm" }>["stage"];

/** Weights that carry x along ε from one level to another: Liu et al. 2022, eq. 9. */
function transfer(from: NoiseLevel, to: NoiseLevel): { readonly xt: number; readonly eps: number } {
  const norm = from.alphaBar * to.sigma + from.alpha * from.sigma * to.alpha;
  return { xt: to.alpha / from.alpha, eps: -(to.alphaBar - from.alphaBar) / norm };
}
