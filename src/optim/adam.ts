/** Adam (Kingma and Ba 2015, arXiv 1412.6980) and AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101), as torch.optim has them. */
import { type LearningRate, type Optimizer, rateAt, updateEach, zeros } from "./optimizer.js";

export interface AdamOptions {
  readonly learningRate: LearningRate;
  /** Decay of the means of gradients and of squared gradients, each in 0…1. Default 0.9 and 0.999. */
  readonly betas?: readonly [number, number];
  /** Added to the root of the mean square. Default 1e-8. */
  readonly epsilon?: number;
  /** Weight decay λ, at least 0. Default: 0 for Adam, where λ θ is added to the gradient; 0.01 for AdamW, where parameters shrink by it. */
  readonly weightDecay?: number;
}

/** Adam with decoupled weight decay: θ ← (1 − γ λ) θ − γ m̂ / (√v̂ + ε). */
export const adamw = ({ weightDecay = 0.01, ...o }: AdamOptions): Optimizer => adamWith({ ...o, weightDecay }, true);

/** Adam: θ ← θ − γ m̂ / (√v̂ + ε). */
export const adam = (o: AdamOptions): Optimizer => adamWith(o, false);

function adamWith(
  { learningRate, betas: [b1, b2] = [0.9, 0.999], epsilon = 1e-8, weightDecay = 0 }: AdamOptions,
  decoupled: boolean,
): Optimizer {
  return {
    init: (parameters) => ({
      numbers: { step: 0 },
      tensors: { mean: zeros(parameters), square: zeros(parameters) },
    }),
    update(parameters, gradients, state) {
      const { step = 0 } = state.numbers;
      const rate = rateAt(learningRate, step);
      const size = rate / (1 - b1 ** (step + 1));
      const correction = Math.sqrt(1 - b2 ** (step + 1));
      const [kept, added] = decoupled ? [1 - rate * weightDecay, 0] : [1, weightDecay];
      const given = { parameters, gradients, state };
      const { tensors, ...moved } = updateEach(["mean", "square"], given, ({ parameter, gradient, state: s }) => {
        const { mean, square } = s;
        for (const [i, was] of parameter.entries()) {
          const g = (gradient[i] ?? 0) + added * was;
          const m = b1 * (mean[i] ?? 0) + (1 - b1) * g;
          const v = b2 * (square[i] ?? 0) + (1 - b2) * g * g;
          mean[i] = m;
          square[i] = v;
          parameter[i] = kept * was - (size * m) / (Math.sqrt(v) / correction + epsilon);
        }
      });
      return { ...moved, state: { numbers: { step: step + 1 }, tensors } };
    },
  };
}
