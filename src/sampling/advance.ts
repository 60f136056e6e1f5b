/**
 * Applies one row of a plan to the latents: x_t and the network's output in, the next latents and x0 out. Pure: the solver
 * state is a value that the caller passes on. One sample at a time, so that a seed gives the same image alone or in a batch.
 */
import type { FloatTensor, Rng } from "../tensor/index.js";
import { combine, type Term } from "./linear.js";
import { addNoise, renoise } from "./noise.js";
import { predict } from "./parameterisation.js";
import type { Plan, RenoiseRow, Row, StepRow } from "./plan.js";
import type { SolverSpec } from "./solver.js";

/** History of a multistep solver; undefined before the first row and for single-step solvers. */
export type SolverState =
  | undefined
  /** The last outputs, newest first, at most three; and the latents of the first row until its step is corrected. */
  | { readonly kind: "pndm"; readonly outputs: readonly FloatTensor[]; readonly kept: FloatTensor | null }
  /** x0 of the previous step. */
  | { readonly kind: "dpm++2m"; readonly x0: FloatTensor };

/** Input of a step: x_t and the (guided) output of the network, both [1, C, H, W], and the generator of the sample. */
export interface StepInput {
  readonly xt: FloatTensor;
  readonly output: FloatTensor;
  readonly rng: Rng;
  readonly state: SolverState;
}

/** Output of a step: predicted x0 and the next latents, both [1, C, H, W], and the solver state. */
export interface StepOutput {
  readonly x0: FloatTensor;
  readonly xt: FloatTensor;
  readonly state: SolverState;
}

/** Initial latents from unit noise [shape]. */
export const initialLatents = (plan: Plan, noise: FloatTensor): FloatTensor => combine([plan.initNoiseScale, noise]);

/** Input and output of a re-noise row, which calls no network. */
export type RenoiseInput = Omit<StepInput, "output">;
export type RenoiseOutput = Omit<StepOutput, "x0">;

/** Applies a row. Draws from `rng` exactly when diffusers' scheduler does; a re-noise row always draws. */
export function advance(row: StepRow, input: StepInput): StepOutput;
export function advance(row: RenoiseRow, input: RenoiseInput): RenoiseOutput;
export function advance(row: Row, input: StepInput | RenoiseInput): StepOutput | RenoiseOutput {
  // The model after a re-noise row begins with an empty history.
  if (row.kind === "renoise") {
    return { xt: renoise(input.xt, input.rng.randn(input.xt.shape), row.from, row.to), state: undefined };
  }
  if (!("output" in input)) throw new RangeError("a step needs the network's output");
  return step(row, input);
}

function step(row: StepRow, input: StepInput): StepOutput {
  switch (row.solver.kind) {
    case "ddim":
      return ddim(row.solver, row, input);
    case "ddpm":
      return ddpm(row.solver, row, input);
    case "pndm":
      return pndm(row.solver, row, input);
    case "euler":
      return euler(row, input);
    case "euler-ancestral":
      return eulerAncestral(row.solver, row, input);
    case "dpm++2m":
      return dpm(row.solver, row, input);
    case "lcm":
      return lcm(row.solver, row, input);
    case "tcd":
      return tcd(row.solver, row, input);
  }
}

type Spec<K extends SolverSpec["kind"]> = Extract<SolverSpec, { kind: K }>;

const noise = (weight: number, draws: boolean, { xt, rng }: StepInput): readonly Term[] =>
  draws ? [[weight, rng.randn(xt.shape)]] : [];

function ddim(spec: Spec<"ddim">, row: StepRow, input: StepInput): StepOutput {
  const { x0, eps } = predict(row.prediction, row.at, input.xt, input.output, spec.clip);
  const xt = combine([row.to.alpha, x0], [spec.eps, eps], ...noise(spec.noise, spec.draws, input));
  return { x0, xt, state: undefined };
}

function ddpm(spec: Spec<"ddpm">, row: StepRow, input: StepInput): StepOutput {
  const { x0 } = predict(row.prediction, row.at, input.xt, input.output, spec.clip);
  const xt = combine([spec.x0, x0], [spec.xt, input.xt], ...noise(spec.noise, spec.draws, input));
  return { x0, xt, state: undefined };
}

function euler(row: StepRow, { xt, output }: StepInput): StepOutput {
  const { x0, eps } = predict(row.prediction, row.at, xt, output);
  return { x0, xt: addNoise(x0, eps, row.to), state: undefined };
}

function eulerAncestral(spec: Spec<"euler-ancestral">, row: StepRow, input: StepInput): StepOutput {
  const { x0, eps } = predict(row.prediction, row.at, input.xt, input.output);
  const xt = combine([row.to.alpha, x0], [spec.eps, eps], ...noise(spec.noise, true, input));
  return { x0, xt, state: undefined };
}

function dpm(spec: Spec<"dpm++2m">, row: StepRow, { xt, output, state }: StepInput): StepOutput {
  const { x0 } = predict(row.prediction, row.at, xt, output);
  const before = state?.kind === "dpm++2m" ? state.x0 : undefined;
  const change: readonly Term[] = before
    ? [
        [spec.change, x0],
        [-spec.change, before],
      ]
    : [];
  return { x0, xt: combine([spec.xt, xt], [spec.x0, x0], ...change), state: { kind: "dpm++2m", x0 } };
}

function lcm(spec: Spec<"lcm">, row: StepRow, input: StepInput): StepOutput {
  const predicted = predict(row.prediction, row.at, input.xt, input.output, spec.clip);
  const x0 = combine([spec.skip, input.xt], [spec.out, predicted.x0]);
  const xt = spec.draws ? addNoise(x0, input.rng.randn(input.xt.shape), row.to) : x0;
  return { x0, xt, state: undefined };
}

function tcd(spec: Spec<"tcd">, row: StepRow, input: StepInput): StepOutput {
  const { x0, eps } = predict(row.prediction, row.at, input.xt, input.output);
  const { alpha, sigma, scale } = spec;
  const xt = combine([scale * alpha, x0], [scale * sigma, eps], ...noise(spec.noise, spec.draws, input));
  return { x0, xt, state: undefined };
}

function pndm(spec: Spec<"pndm">, row: StepRow, { xt, output, state }: StepInput): StepOutput {
  const { x0 } = predict(row.prediction, row.at, xt, output);
  const history = state?.kind === "pndm" && spec.stage !== "start" ? state : { outputs: [], kept: null };
  // If another solver ran before, the history is missing and the row uses its own output only.
  const outputs = [output, ...history.outputs].slice(0, spec.weights.length);
  const weights = outputs.length === spec.weights.length ? spec.weights : [1];
  const blend = combine([0, output], ...outputs.map((past, i): Term => [weights[i] ?? 0, past]));
  const start = (spec.stage === "repeat" ? history.kept : null) ?? xt;
  const eps = row.prediction === "v_prediction" ? combine([spec.alpha, blend], [spec.sigma, start]) : blend;
  return {
    x0,
    xt: combine([spec.xt, start], [spec.eps, eps]),
    state: {
      kind: "pndm",
      outputs: spec.stage === "repeat" ? history.outputs : [output, ...history.outputs].slice(0, 3),
      kept: spec.stage === "start" ? xt : null,
    },
  };
}
