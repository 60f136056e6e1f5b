/** Prodigy (Mishchenko and Defazio 2024, arXiv 2306.06101): AdamW that finds its learning rate from the distance that it has gone. */
import type { AdamOptions } from "./adam.js";
import { type Optimizer, rateAt, type Tensors, updateEach, zeros } from "./optimizer.js";

export interface ProdigyOptions extends Omit<AdamOptions, "learningRate"> {
  /** Factor of the rate that is found. Default 1. */
  readonly learningRate?: AdamOptions["learningRate"];
  /** Decay of the numerator and denominator of the estimate, in 0…1. Default √β₂. */
  readonly beta3?: number;
  /** First estimate d of the distance, above 0. Default 1e-6. */
  readonly firstDistance?: number;
  /** Factor of the estimate. Default 1. */
  readonly factor?: number;
  /** Most by which d grows in an update, at least 1. Default: no limit. */
  readonly growth?: number;
  /** Whether the biases of Adam's means are corrected. Default false. */
  readonly correctBias?: boolean;
  /** Whether warm-up leaves the denominator alone. Default false. */
  readonly safeguardWarmup?: boolean;
}

/** Algorithm 4 of the paper, with the form of weight decay of its published implementation: decoupled, λ = 0 by default. */
export function prodigy(o: ProdigyOptions = {}): Optimizer {
  const { learningRate = 1, betas: [b1, b2] = [0.9, 0.999], epsilon = 1e-8, weightDecay = 0, firstDistance = 1e-6 } = o;
  const { beta3: b3 = Math.sqrt(b2), factor = 1, growth = Number.POSITIVE_INFINITY, correctBias, safeguardWarmup } = o;
  return {
    init: (parameters) => ({
      numbers: { step: 0, distance: firstDistance, largest: firstDistance, numerator: 0 },
      tensors: { mean: zeros(parameters), square: zeros(parameters), sum: zeros(parameters), start: parameters },
    }),
    update(parameters, gradients, state) {
      const { step = 0, distance: d = firstDistance, largest = d, numerator = 0 } = state.numbers;
      const rate = rateAt(learningRate, step);
      const bias = correctBias ? Math.sqrt(1 - b2 ** (step + 1)) / (1 - b1 ** (step + 1)) : 1;
      const size = d * rate * bias;
      const relative = d / firstDistance;
      let [above, below] = [b3 * numerator, 0];
      const given = { parameters, gradients, state };
      const { tensors } = updateEach(["mean", "square", "sum", "start"], given, ({ parameter, gradient, state: s }) => {
        for (const [i, g] of gradient.entries()) {
          above += rate > 0 ? relative * size * g * ((s.start[i] ?? 0) - (parameter[i] ?? 0)) : 0;
          if (rate <= 0) continue;
          s.mean[i] = b1 * (s.mean[i] ?? 0) + d * (1 - b1) * g;
          s.square[i] = b2 * (s.square[i] ?? 0) + d * d * (1 - b2) * g * g;
          s.sum[i] = b3 * (s.sum[i] ?? 0) + relative * (safeguardWarmup ? d : size) * g;
          below += Math.abs(s.sum[i] ?? 0);
        }
      });
      // All gradients so far are 0: the distance and the parameters stay as they are.
      if (below === 0) return { parameters, state: { numbers: state.numbers, tensors } };
      const found = (factor * above) / below;
      const first = d === firstDistance ? Math.max(d, found) : d;
      const most = Math.max(largest, found);
      const next = Math.min(most, first * growth);
      const after = moved(parameters, gradients, tensors, {
        size,
        shrink: weightDecay * size,
        epsilon: next * epsilon,
      });
      const numbers = { step: step + 1, distance: next, largest: most, numerator: above };
      return { parameters: after, state: { numbers, tensors } };
    },
  };
}

interface Step {
  readonly size: number;
  readonly shrink: number;
  readonly epsilon: number;
}

/** θ ← (1 − shrink) θ − size · m / (√v + ε). */
function moved(
  parameters: Tensors,
  gradients: Tensors,
  tensors: Readonly<Record<string, Tensors>>,
  { size, shrink, epsilon }: Step,
): Tensors {
  const state = { numbers: {}, tensors };
  return updateEach(["mean", "square"], { parameters, gradients, state }, ({ parameter, state: { mean, square } }) => {
    for (const [i, was] of parameter.entries())
      parameter[i] = was * (1 - shrink) - (size * (mean[i] ?? 0)) / (Math.sqrt(square[i] ?? 0) + epsilon);
  }).parameters;
}
