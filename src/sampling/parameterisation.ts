/** Prediction types: x0 and ε as linear functions of x_t and the network's output, four weights per type. */
import { RequestError } from "../errors.js";
import type { FloatTensor } from "../tensor/index.js";
import type { NoiseLevel } from "./level.js";
import { combine } from "./linear.js";
import type { Prediction } from "./scheduler-fields.js";

/** Weights of x_t and of the network's output. */
export interface Weights {
  readonly xt: number;
  readonly output: number;
}

/**
 * x_t = α x0 + σ ε solved for x0 and ε, given ε; v = α ε − σ x0 (Salimans and Ho 2022, appendix D; variance-preserving
 * levels only); x0; the flow velocity ε − x0 (Lipman et al. 2023; α + σ is 1 at flow levels); or F of the EDM formulation,
 * x0 = c_skip x + c_out F (Karras et al. 2022, eq. 7 and table 1; EDM levels only), and −F, which is v there.
 */
const WEIGHTS: { readonly [K in Prediction]: (at: NoiseLevel) => { readonly x0: Weights; readonly eps: Weights } } = {
  epsilon: ({ alpha, sigma }) => ({ x0: { xt: 1 / alpha, output: -sigma / alpha }, eps: { xt: 0, output: 1 } }),
  v_prediction: ({ alpha, sigma }) => ({ x0: { xt: alpha, output: -sigma }, eps: { xt: sigma, output: alpha } }),
  sample: ({ alpha, sigma }) => ({ x0: { xt: 0, output: 1 }, eps: { xt: 1 / sigma, output: -alpha / sigma } }),
  flow_prediction: ({ alpha, sigma }) => ({
    x0: { xt: 1 / (alpha + sigma), output: -sigma / (alpha + sigma) },
    eps: { xt: 1 / (alpha + sigma), output: alpha / (alpha + sigma) },
  }),
  edm: (at) => edm(at, 1),
  edm_v: (at) => edm(at, -1),
};

/** With σ_data α = √(1 − σ²): x0 = (1 − σ²) / α x + sign σ σ_data F, and ε from x = α x0 + σ ε. */
function edm({ alpha, sigma }: NoiseLevel, sign: number): { readonly x0: Weights; readonly eps: Weights } {
  const kept = Math.sqrt(1 - sigma * sigma);
  return {
    x0: { xt: (kept * kept) / alpha, output: (sign * sigma * kept) / alpha },
    eps: { xt: sigma, output: -sign * kept },
  };
}

/**
 * Predicted x0 and ε: x_t, output [shape] → x0, ε [shape].
 * @param clip bounds x0 to ±clip and leaves ε unchanged, as diffusers' clip_sample does
 */
export function predict(
  prediction: Prediction,
  at: NoiseLevel,
  xt: FloatTensor,
  output: FloatTensor,
  clip: number | null = null,
): { readonly x0: FloatTensor; readonly eps: FloatTensor } {
  const { x0, eps } = WEIGHTS[prediction](at);
  const clean = combine([x0.xt, xt], [x0.output, output]);
  if (clip !== null) {
    for (let i = 0; i < clean.data.length; i++) clean.data[i] = Math.min(Math.max(clean.data[i] ?? 0, -clip), clip);
  }
  return { x0: clean, eps: combine([eps.xt, xt], [eps.output, output]) };
}

/** Weights of x0 at a noise level: x0 = xt · x_t + output · the network's output. */
export const cleanWeights = (prediction: Prediction, at: NoiseLevel): Weights => WEIGHTS[prediction](at).x0;

/** The network's output that gives this x0: the inverse of `predict`. x_t, x0 [shape] → [shape]. */
export function outputAt(prediction: Prediction, at: NoiseLevel, xt: FloatTensor, x0: FloatTensor): FloatTensor {
  const { x0: weights } = WEIGHTS[prediction](at);
  return combine([1 / weights.output, x0], [-weights.xt / weights.output, xt]);
}

/** @throws RequestError where the prediction does not determine x0: ε at α = 0 */
export function checkPrediction(prediction: Prediction, at: NoiseLevel): void {
  if (prediction === "epsilon" && at.alpha === 0) {
    throw new RequestError(
      `timestep ${at.t} is pure noise (zero terminal SNR), where epsilon does not determine x0; expected v_prediction or sample`,
    );
  }
}

/** The network's output that gives this x0 and this ε, at the level of x_t = α x0 + σ ε: what a network is trained to give. x0, ε [shape] → [shape]. */
export function outputOf(prediction: Prediction, at: NoiseLevel, x0: FloatTensor, eps: FloatTensor): FloatTensor {
  const { x0: weights } = WEIGHTS[prediction](at);
  return combine([(1 - weights.xt * at.alpha) / weights.output, x0], [(-weights.xt * at.sigma) / weights.output, eps]);
}

/** Error of x0 for an error of 1 of the network's output: σ/α for ε, σ for v and flow, 1 for x0. */
export const x0Error = (prediction: Prediction, at: NoiseLevel): number => Math.abs(WEIGHTS[prediction](at).x0.output);
