/** Multistep solvers, which call the network once a step and use its earlier predictions: DPM-Solver++, singlestep, DEIS, LMS. */
import { frame, multistepWeights, singlestepWeights } from "./exponential.js";
import { karrasSigma, type NoiseLevel } from "./level.js";
import type { SchedulerSettings } from "./scheduler-fields.js";
import { linearStep, type SolverContext, type SolverRule } from "./solver-spec.js";

/** Levels of the steps before step i, newest first, where the solver's history has them. */
const levelsBefore = ({ schedule }: SolverContext, i: number, count: number): readonly NoiseLevel[] =>
  schedule.steps
    .slice(Math.max(i - count, 0), i)
    .reverse()
    .map((step) => step.at);

/** Order of a multistep solver at step i: it grows with the history, and falls again at the end where the config asks for it. */
function orderAt({ config, schedule, fresh }: SolverContext, i: number, lowLast: boolean): number {
  const { solver_order, lower_order_final } = config.settings;
  const { length } = schedule.steps;
  const few = lower_order_final && length < 15;
  if (i === length - 1 && (lowLast || few)) return 1;
  return Math.min(solver_order, i - fresh + 1, few && i === length - 2 ? 2 : 3);
}

/** DPM-Solver and DPM-Solver++, as ODE and as SDE. Lu et al. 2022b, algorithm 2. */
export const dpmMultistep: SolverRule = (context, { at, to }, i) => {
  const { algorithm_type: algorithm, solver_type, euler_at_final, final_sigmas_type } = context.config.settings;
  const order = orderAt(context, i, euler_at_final || final_sigmas_type === "zero");
  const weights = multistepWeights(frame(algorithm, at, to), at, levelsBefore(context, i, order - 1), solver_type);
  return linearStep({ method: methodOf(algorithm, `${order}m`), ...weights, draws: algorithm.startsWith("sde") });
};

const methodOf = (algorithm: SchedulerSettings["algorithm_type"], order: string): string =>
  `dpm${algorithm.endsWith("++") ? "++" : ""}${order}${algorithm.startsWith("sde") ? " sde" : ""}`;

/** DPM-Solver++ singlestep: groups of up to three steps, each of which begins anew. Lu et al. 2022b, algorithm 1. */
export const dpmSinglestep: SolverRule = (context, { at, to }, i) => {
  const { config, schedule, fresh } = context;
  const { algorithm_type: algorithm, solver_type } = config.settings;
  const order = Math.min(singlestepOrders(config.settings, schedule.steps.length)[i] ?? 1, i - fresh + 1);
  const [start = at, ...inside] = [...levelsBefore(context, i, order - 1)].reverse().concat(at);
  const { xt, ...weights } = singlestepWeights(frame(algorithm, start, to), start, inside, solver_type);
  const from = order === 1 ? { xt, keeps: true } : { kept: xt };
  return linearStep({
    method: methodOf(algorithm, `${order}s`),
    ...weights,
    ...from,
    draws: algorithm.startsWith("sde"),
  });
};

/** Order of every step, as diffusers' get_order_list: groups of ascending order, and lower orders for the rest. */
function singlestepOrders(settings: SchedulerSettings, steps: number): readonly number[] {
  const { solver_order: order, final_sigmas_type } = settings;
  // diffusers sets lower_order_final where groups do not fill the steps or the last level is clean.
  const lower = settings.lower_order_final || steps % order !== 0 || final_sigmas_type === "zero";
  const groups = Array.from({ length: steps }, (_, i) => (i % order) + 1);
  const rest = steps % order;
  if (!lower || order === 1) return groups;
  if (rest === 0) return [...groups.slice(0, steps - order), ...(order === 3 ? [1, 2, 1] : [1, 1])].slice(-steps);
  return final_sigmas_type === "zero" ? [...groups.slice(0, -1), 1] : groups;
}

/**
 * DEIS: the polynomial through past ε is linear or quadratic in log ρ, ρ = σ / α, and integrated exactly. Zhang and Chen 2023,
 * section 4 (ρAB-DEIS with log ρ as in diffusers).
 */
export const deis: SolverRule = (context, { at, to }, i) => {
  const order = orderAt(context, i, false);
  const nodes = [at, ...levelsBefore(context, i, order - 1)].map(karrasSigma);
  const outputs = nodes.map((node) => {
    const others = nodes.filter((other) => other !== node);
    return to.alpha * (logIntegral(karrasSigma(to), node, others) - logIntegral(karrasSigma(at), node, others));
  });
  return linearStep({ method: `deis ${order}`, of: "eps", xt: to.alpha / at.alpha, outputs });
};

/** Integral over ρ, up to a constant, of the polynomial in log ρ that is 1 at `node` and 0 at up to two `others`. */
function logIntegral(rho: number, node: number, others: readonly number[]): number {
  const [l, n] = [Math.log(rho), Math.log(node)];
  const [c, d] = others.map(Math.log);
  if (c === undefined) return rho;
  if (d === undefined) return (rho * (l - c - 1)) / (n - c);
  return (rho * (l * l - (2 + c + d) * l + 2 + c + d + c * d)) / ((n - c) * (n - d));
}

/** LMS: the polynomial through the last four derivatives in σ, integrated exactly. Karras et al. 2022, as in k-diffusion. */
export const lms: SolverRule = (context, { at, to }, i) => {
  const nodes = [at, ...levelsBefore(context, i, Math.min(i - context.fresh, 3))].map(karrasSigma);
  const [from, end] = [karrasSigma(at), karrasSigma(to)];
  const outputs = nodes.map((node) => to.alpha * integral(from, end, (sigma) => lagrange(sigma, node, nodes)));
  return linearStep({ method: `lms ${nodes.length}`, of: "eps", xt: to.alpha / at.alpha, outputs });
};

/** Lagrange polynomial that is 1 at `node` and 0 at the other nodes. */
const lagrange = (x: number, node: number, nodes: readonly number[]): number =>
  nodes.reduce((product, other) => (other === node ? product : (product * (x - other)) / (node - other)), 1);

/** Gauss–Legendre with two points, exact for polynomials up to degree three. */
function integral(a: number, b: number, f: (x: number) => number): number {
  const [middle, half] = [(a + b) / 2, (b - a) / 2];
  return half * (f(middle - half / Math.sqrt(3)) + f(middle + half / Math.sqrt(3)));
}
