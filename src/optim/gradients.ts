/** Optimisers around an optimiser: gradients clipped to a norm, or accumulated over several batches. */
import { float } from "../tensor/index.js";
import { globalNorm, mapTensors, type Optimizer, type Tensors, zeros } from "./optimizer.js";

const scaled = (tensors: Tensors, factor: number): Tensors =>
  mapTensors(tensors, ({ shape, data }) =>
    float(
      shape,
      data.map((v) => v * factor),
    ),
  );

/** Scales all gradients so that their norm together is at most `norm`, as torch.nn.utils.clip_grad_norm_ does. */
export const clipped = (norm: number, optimizer: Optimizer): Optimizer => ({
  init: (parameters) => optimizer.init(parameters),
  update(parameters, gradients, state) {
    const factor = norm / (globalNorm(gradients) + 1e-6);
    return optimizer.update(parameters, factor < 1 ? scaled(gradients, factor) : gradients, state);
  },
});

/** Updates with the mean gradient of every `batches` updates; between them only the sum changes. */
export const accumulated = (batches: number, optimizer: Optimizer): Optimizer => ({
  init(parameters) {
    const { numbers, tensors } = optimizer.init(parameters);
    return { numbers: { ...numbers, accumulated: 0 }, tensors: { ...tensors, accumulated: zeros(parameters) } };
  },
  update(
    parameters,
    gradients,
    { numbers: { accumulated: n = 0, ...numbers }, tensors: { accumulated: sum = {}, ...tensors } },
  ) {
    const total = { ...sum };
    for (const [name, { shape, data }] of Object.entries(gradients)) {
      const own = sum[name]?.data;
      total[name] = float(
        shape,
        data.map((v, i) => v + (own?.[i] ?? 0)),
      );
    }
    const inner = { numbers, tensors };
    if (n + 1 < batches)
      return {
        parameters,
        state: { numbers: { ...numbers, accumulated: n + 1 }, tensors: { ...tensors, accumulated: total } },
      };
    const { parameters: moved, state } = optimizer.update(parameters, scaled(total, 1 / batches), inner);
    return {
      parameters: moved,
      state: {
        numbers: { ...state.numbers, accumulated: 0 },
        tensors: { ...state.tensors, accumulated: zeros(parameters) },
      },
    };
  },
});
