/** What an optimiser is: a function from parameters, gradients and state to new parameters and state. Nothing is changed in place. */
import { type FloatTensor, float } from "../tensor/index.js";

/** Tensors by the name of their parameter. */
export type Tensors = Readonly<Record<string, FloatTensor>>;

/** What an optimiser remembers between updates, as numbers and tensors, so that a checkpoint can hold it. */
export interface OptimizerState {
  readonly numbers: Readonly<Record<string, number>>;
  /** tensors[kind][parameter], such as the mean of the gradients of each parameter. */
  readonly tensors: Readonly<Record<string, Tensors>>;
}

/** Parameters and state after an update. */
export interface Updated {
  readonly parameters: Tensors;
  readonly state: OptimizerState;
}

/**
 * An optimiser. Parameters without a gradient are left as they are.
 *
 * @example
 * const optimizer = clipped(1, adamw({ learningRate: cosine({ peak: 1e-4, warmup: 10, steps: 100 }) }));
 * let state = optimizer.init(parameters);
 * for (const gradients of batches) ({ parameters, state } = optimizer.update(parameters, gradients, state));
 */
export interface Optimizer {
  init(parameters: Tensors): OptimizerState;
  update(parameters: Tensors, gradients: Tensors, state: OptimizerState): Updated;
}

/** A learning rate: constant, or a function of the number of updates that were made before, 0 for the first. */
export type LearningRate = number | ((step: number) => number);

export const rateAt = (rate: LearningRate, step: number): number => (typeof rate === "number" ? rate : rate(step));

/** A tensor of zeros for each parameter. */
export const zeros = (parameters: Tensors): Tensors => mapTensors(parameters, ({ shape }) => float(shape));

/** A new tensor for each one. */
export const mapTensors = (tensors: Tensors, to: (value: FloatTensor, name: string) => FloatTensor): Tensors =>
  Object.fromEntries(Object.entries(tensors).map(([name, value]) => [name, to(value, name)]));

/** Values of one parameter in an update: `parameter` and `state` are copies that the rule changes. */
export interface Values<Kind extends string> {
  readonly shape: readonly number[];
  readonly parameter: Float32Array;
  readonly gradient: Float32Array;
  readonly state: Readonly<Record<Kind, Float32Array>>;
}

/**
 * Applies a rule to each parameter that has a gradient. kinds: the kinds of state tensors, [shape of the parameter] each unless the state has
 * others.
 * @throws RangeError for a gradient without a parameter, or of another shape
 */
export function updateEach<Kind extends string>(
  kinds: readonly Kind[],
  { parameters, gradients, state }: { parameters: Tensors; gradients: Tensors; state: OptimizerState },
  rule: (values: Values<Kind>) => void,
): { parameters: Tensors; tensors: Record<string, Tensors> } {
  const moved: Record<string, FloatTensor> = { ...parameters };
  const tensors: Record<string, Record<string, FloatTensor>> = {};
  for (const kind of kinds) tensors[kind] = { ...state.tensors[kind] };
  for (const [name, gradient] of Object.entries(gradients)) {
    const given = parameterOf(parameters, name, gradient);
    const copies = kinds.map((kind) => {
      const { shape, data } = state.tensors[kind]?.[name] ?? float(given.shape);
      return [kind, float(shape, data.slice())] as const;
    });
    const parameter = given.data.slice();
    const own = Object.fromEntries(copies.map(([kind, { data }]) => [kind, data])) as Record<Kind, Float32Array>;
    rule({ shape: given.shape, parameter, gradient: gradient.data, state: own });
    moved[name] = float(given.shape, parameter);
    for (const [kind, copy] of copies) tensors[kind] = { ...tensors[kind], [name]: copy };
  }
  return { parameters: moved, tensors };
}

function parameterOf(parameters: Tensors, name: string, { shape }: FloatTensor): FloatTensor {
  const parameter = parameters[name];
  if (!parameter) throw new RangeError(`there is no parameter ${name} for this gradient`);
  if (String(parameter.shape) !== String(shape))
    throw new RangeError(
      `${name} has the shape [${parameter.shape.join(", ")}]; its gradient has [${shape.join(", ")}]`,
    );
  return parameter;
}

/** Euclidean norm of all values together. */
export function globalNorm(tensors: Tensors): number {
  let sum = 0;
  for (const { data } of Object.values(tensors)) for (const v of data) sum += v * v;
  return Math.sqrt(sum);
}
