/** Adafactor (Shazeer and Stern 2018, arXiv 1804.04235), as torch.optim has it: second moments of matrices as a row and a column. */
import { count, type FloatTensor, float } from "../tensor/index.js";
import { type LearningRate, mapTensors, type Optimizer, rateAt, type Tensors, updateEach } from "./optimizer.js";

export interface AdafactorOptions {
  /** Upper bound of the relative step, which is also at most 1/√t. Default 1e-2. */
  readonly learningRate?: LearningRate;
  /** Exponent c of the decay 1 − t^c of the second moments, at most 0. Default −0.8. */
  readonly decay?: number;
  /** Lower bounds of root mean squares: of gradients, and of parameters. Default: float32's precision, and 1e-3. */
  readonly epsilon?: readonly [number, number];
  /** Largest root mean square of an update before the step size, at least 1. Default 1. */
  readonly clip?: number;
  /** Weight decay λ, at least 0: parameters shrink by γ λ. Default 0. */
  readonly weightDecay?: number;
}

const FLOAT32 = 2 ** -23;
const norm = (values: Float32Array): number => Math.sqrt(values.reduce((s, v) => s + v * v, 0));
const lerp = (values: Float32Array, i: number, to: number, share: number): void => {
  values[i] = (values[i] ?? 0) + share * (to - (values[i] ?? 0));
};

/** Matrices in the last two dimensions of a shape: how many, and their rows and columns. */
function matricesOf(shape: readonly number[]): { matrices: number; rows: number; columns: number } {
  const [rows = 1, columns = 1] = shape.slice(-2);
  return { matrices: count(shape.slice(0, -2)), rows, columns };
}

/** Means of squares of the rows and columns of each matrix, or of each value of a vector, blended into the state. */
function blendSquares(gradient: Float32Array, shape: readonly number[], state: Moments, share: number): void {
  if (shape.length < 2) {
    for (const [i, g] of gradient.entries()) lerp(state.square, i, g * g, share);
    return;
  }
  const { matrices, rows, columns } = matricesOf(shape);
  for (let m = 0; m < matrices; m++) {
    const [byRow, byColumn] = [new Float64Array(rows), new Float64Array(columns)];
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) {
        const square = (gradient[(m * rows + r) * columns + c] ?? 0) ** 2;
        byRow[r] = (byRow[r] ?? 0) + square / columns;
        byColumn[c] = (byColumn[c] ?? 0) + square / rows;
      }
    }
    for (const [r, mean] of byRow.entries()) lerp(state.row, m * rows + r, mean, share);
    for (const [c, mean] of byColumn.entries()) lerp(state.column, m * columns + c, mean, share);
  }
}

type Moments = Readonly<Record<"row" | "column" | "square", Float32Array>>;

/** Estimate of the second moment of each value: row · column / mean of rows for matrices (eq. 4). */
function secondMoment(
  shape: readonly number[],
  { row, column, square }: Moments,
  least: number,
): (i: number) => number {
  if (shape.length < 2) return (i) => square[i] ?? 0;
  const { matrices, rows, columns } = matricesOf(shape);
  const means = Array.from({ length: matrices }, (_, m) => {
    const own = row.subarray(m * rows, (m + 1) * rows);
    return Math.max(least, own.reduce((s, v) => s + v, 0) / rows);
  });
  return (i) => {
    const line = Math.floor(i / columns);
    const m = Math.floor(line / rows);
    return ((row[line] ?? 0) * (column[m * columns + (i % columns)] ?? 0)) / (means[m] ?? 1);
  };
}

/** θ ← θ − α û, û = g/√v̂ with a root mean square of at most `clip`, α = max(ε₂, RMS(θ)) · min(γ, 1/√t) (algorithm 4). */
export function adafactor(o: AdafactorOptions = {}): Optimizer {
  const { learningRate = 1e-2, decay = -0.8, epsilon: [e1, e2] = [FLOAT32, 1e-3], clip = 1, weightDecay = 0 } = o;
  return {
    init: (parameters) => ({ numbers: { step: 0 }, tensors: momentsOf(parameters) }),
    update(parameters, gradients, state) {
      const { step = 0 } = state.numbers;
      const rate = rateAt(learningRate, step);
      const relative = Math.min(rate, 1 / Math.sqrt(step + 1));
      const given = { parameters, gradients, state };
      const { tensors, ...moved } = updateEach(
        ["row", "column", "square"],
        given,
        ({ shape, parameter, gradient, state: s }) => {
          const size = Math.max(e2, norm(parameter) / Math.sqrt(parameter.length)) * relative;
          blendSquares(gradient, shape, s, (step + 1) ** decay);
          const moment = secondMoment(shape, s, e1);
          const update = gradient.map((g, i) => g / Math.sqrt(Math.max(e1 * e1, moment(i))));
          const scale = size / Math.max(1, norm(update) / (Math.sqrt(update.length) * clip));
          for (const [i, was] of parameter.entries())
            parameter[i] = was * (1 - rate * weightDecay) - scale * (update[i] ?? 0);
        },
      );
      return { ...moved, state: { numbers: { step: step + 1 }, tensors } };
    },
  };
}

/** Rows and columns of matrices, and squares of vectors; the others are empty. */
function momentsOf(parameters: Tensors): Record<"row" | "column" | "square", Tensors> {
  const none = float([0]);
  const matrix = (to: (t: FloatTensor) => FloatTensor) =>
    mapTensors(parameters, (t) => (t.shape.length < 2 ? none : to(t)));
  return {
    row: matrix(({ shape }) => float(shape.slice(0, -1))),
    column: matrix(({ shape }) => float([...shape.slice(0, -2), shape.at(-1) ?? 1])),
    square: mapTensors(parameters, (t) => (t.shape.length < 2 ? float(t.shape) : none)),
  };
}
