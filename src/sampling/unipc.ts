/** UniPC (Zhao et al. 2023): a multistep predictor, and a corrector that takes the step before again with the new prediction. */
import { solve } from "./elimination.js";
import { frame, lambda } from "./exponential.js";
import type { NoiseLevel } from "./level.js";
import { type LinearSpec, linearStep, type SolverContext, type SolverRule } from "./solver-spec.js";

export const unipc: SolverRule = (context, { at, to }, i) => {
  const { config, fresh } = context;
  const { disable_corrector, predict_x0 } = config.settings;
  const order = orderAt(context, i);
  const { ratio, weights } = update(context, i, to, order, false);
  const corrects = i > fresh && !disable_corrector.includes(i - 1);
  const before = corrects ? update(context, i - 1, at, orderAt(context, i - 1), true) : null;
  return linearStep({
    method: `unipc ${order}`,
    of: predict_x0 ? "x0" : "eps",
    xt: ratio,
    outputs: weights,
    corrector: before && { kept: before.ratio, outputs: before.weights },
    keeps: true,
  });
};

function orderAt({ config, schedule, fresh }: SolverContext, i: number): number {
  const { solver_order, lower_order_final } = config.settings;
  const most = lower_order_final ? Math.min(solver_order, schedule.steps.length - i) : solver_order;
  return Math.min(most, i - fresh + 1);
}

/**
 * Weights of a step that begins at step i: of the latents, and of the predictions, newest first. The corrector's newest
 * prediction is the one at the end of the step. Zhao et al. 2023, eq. 3 and 8, with B(h) of `solver_type`.
 */
function update(
  { config, schedule }: SolverContext,
  i: number,
  to: NoiseLevel,
  order: number,
  corrector: boolean,
): { readonly ratio: number; readonly weights: LinearSpec["outputs"] } {
  const { predict_x0, solver_type } = config.settings;
  const levels = schedule.steps.map((step) => step.at);
  const at = levels[i] ?? to;
  const { ratio, scale, h, hh, phi } = frame(predict_x0 ? "dpmsolver++" : "dpmsolver", at, to);
  const past = Array.from({ length: order - 1 }, (_, k) => (lambda(levels[i - 1 - k] ?? at) - lambda(at)) / h);
  const b = solver_type === "bh1" ? hh : phi;
  const nodes = corrector ? [...past, 1] : past;
  // diffusers solves for more than one unknown, and has one half for a single one.
  const rhos = nodes.length === 1 ? [1 / 2] : solved(vandermonde(nodes), moments(hh, phi, b, nodes.length));
  const weights = nodes.map((r, k) => (-scale * b * (rhos[k] ?? 0)) / r);
  const constant = -scale * phi - weights.reduce((sum, w) => sum + w, 0);
  const [end, own] = corrector ? [weights.slice(-1), weights.slice(0, -1)] : [[], weights];
  return { ratio, weights: [...end, constant, ...own] };
}

const solved = (a: readonly (readonly number[])[], b: readonly number[]): number[] =>
  solve(
    a,
    b.map((v) => [v]),
  ).flat();

const vandermonde = (nodes: readonly number[]): number[][] => nodes.map((_, power) => nodes.map((r) => r ** power));

/** k! φ_{k+1}(hh) / B for k = 1 … n, by the recurrence φ_{k+1} = (φ_k − 1/k!) / hh. */
function moments(hh: number, phi: number, b: number, n: number): number[] {
  let [next, factorial] = [phi / hh - 1, 1];
  return Array.from({ length: n }, (_, k) => {
    const moment = (next * factorial) / b;
    factorial *= k + 2;
    next = next / hh - 1 / factorial;
    return moment;
  });
}
