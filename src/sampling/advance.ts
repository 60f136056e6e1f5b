/**
 * Applies one row of a plan to the latents: x_t and the network's output in, the next latents and x0 out. Pure: the solver
 * state is a value that the caller passes on. One sample at a time, so that a seed gives the same image alone or in a batch.
 */
import type { FloatTensor, Rng } from "../tensor/index.js";
import { combine, type Term } from "./linear.js";
import { addNoise, renoise } from "./noise.js";
import { predict } from "./parameterisation.js";
import type { Plan, RenoiseRow, Row, StepRow } from "./plan.js";
import type { SolverSpec } from "./solver-spec.js";

/** History of a multistep solver; undefined before the first row and for single-step solvers. */
export type SolverState =
  | undefined
  /** The last outputs, newest first, at most three; and the latents of the first row until its step is corrected. */
  | { readonly kind: "pndm"; readonly outputs: readonly FloatTensor[]; readonly kept: FloatTensor | null }
  /** The last predictions (x0 or ε), newest first, at most three; the latents that a call kept; the noise of an unfinished step. */
  | {
      readonly kind: "linear";
      readonly outputs: readonly FloatTensor[];
      readonly kept: FloatTensor | null;
      readonly noise: FloatTensor | null;
    };

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
    case "linear":
      return linear(row.solver, row, input);
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

const NO_HISTORY = { outputs: [], kept: null, noise: null } as const;

function linear(spec: Spec<"linear">, row: StepRow, { xt, output, rng, state }: StepInput): StepOutput {
  const past = state?.kind === "linear" ? state : NO_HISTORY;
  const { x0, eps } = predict(row.prediction, row.at, xt, output, spec.clip);
  const { alpha, sigma } = row.at;
  const clippedEps = () => combine([1 / sigma, xt], [-alpha / sigma, x0]);
  const own = spec.of === "x0" ? x0 : spec.clip === null ? eps : clippedEps();
  const outputs = [own, ...past.outputs];
  const corrected =
    spec.corrector && past.kept && weigh(spec.corrector.outputs, outputs, [spec.corrector.kept, past.kept]);
  const x = corrected || xt;
  if (spec.kept !== 0 && !past.kept)
    throw new RangeError(`${spec.method}: this row continues a step that has not begun`);
  const z = spec.draws ? correlated(spec.correlation, past.noise, rng.randn(xt.shape)) : null;
  return {
    x0,
    xt: weigh(
      spec.outputs,
      outputs,
      [spec.xt, x],
      [spec.kept, past.kept ?? x],
      ...(z ? [[spec.noise, z] as const] : []),
    ),
    state: {
      kind: "linear",
      outputs: outputs.slice(0, 3),
      kept: spec.keeps ? x : past.kept,
      noise: spec.open ? z : null,
    },
  };
}

/** Weighted sum of predictions, newest first, and of other terms. Where the history is too short, the newest stands for all. */
function weigh(weights: readonly number[], outputs: readonly FloatTensor[], first: Term, ...rest: readonly Term[]) {
  const [newest] = outputs;
  return combine(
    first,
    ...rest,
    ...weights.flatMap((w, i) => {
      const output = outputs.length < weights.length ? newest : outputs[i];
      return output ? [[w, output] as const] : [];
    }),
  );
}

/** Unit noise with this correlation to earlier unit noise. */
const correlated = (correlation: number, earlier: FloatTensor | null, z: FloatTensor): FloatTensor =>
  correlation === 0 || !earlier ? z : combine([correlation, earlier], [Math.sqrt(1 - correlation ** 2), z]);

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
