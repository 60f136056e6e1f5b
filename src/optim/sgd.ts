/** Stochastic gradient descent with momentum, as torch.optim.SGD has it. */
import { type LearningRate, type Optimizer, rateAt, updateEach, zeros } from "./optimizer.js";

export interface SgdOptions {
  readonly learningRate: LearningRate;
  /** Momentum μ in 0…1. Default 0. */
  readonly momentum?: number;
  /** Whether the step looks ahead (Nesterov). Default false. */
  readonly nesterov?: boolean;
  /** Weight decay λ, at least 0: λ θ is added to the gradient. Default 0. */
  readonly weightDecay?: number;
}

/** b ← μ b + g, with b = g at first; θ ← θ − γ b, or θ − γ (g + μ b) for Nesterov's form (Sutskever et al. 2013). */
export function sgd({ learningRate, momentum = 0, nesterov = false, weightDecay = 0 }: SgdOptions): Optimizer {
  return {
    init: (parameters) => ({ numbers: { step: 0 }, tensors: { velocity: zeros(parameters) } }),
    update(parameters, gradients, state) {
      const { step = 0 } = state.numbers;
      const rate = rateAt(learningRate, step);
      const given = { parameters, gradients, state };
      const { tensors, ...moved } = updateEach(["velocity"], given, ({ parameter, gradient, state: { velocity } }) => {
        for (const [i, was] of parameter.entries()) {
          const g = (gradient[i] ?? 0) + weightDecay * was;
          const b = momentum * (velocity[i] ?? 0) + g;
          velocity[i] = b;
          parameter[i] = was - rate * (nesterov ? g + momentum * b : b);
        }
      });
      return { ...moved, state: { numbers: { step: step + 1 }, tensors } };
    },
  };
}
