/** What a run trains, as inputs of a denoiser's graph: the matrices of a LoRA, the weights themselves, or inputs that it has anyway. */
import { readFloats } from "../checkpoint/index.js";
import type { Denoiser, DrawingWeights } from "../models/index.js";
import { adapterScales } from "../networks/index.js";
import type { Tensors } from "../optim/index.js";
import { type FloatTensor, float, int, type Tensor, type WeightIndex } from "../tensor/index.js";
import type { TrainedLora } from "./lora.js";

/** Weights of a denoiser that are trained. They are parameters by their names in the checkpoint. */
export interface TrainedWeights {
  readonly weights: readonly string[];
}

/** Inputs of the denoiser towards which there are gradients, such as its text. */
export interface TrainedInputs {
  readonly inputs: readonly string[];
}

export type Trained = TrainedInputs | ((TrainedLora | TrainedWeights) & Partial<TrainedInputs>);

/** Inputs of a denoiser's graph that hold what is trained. */
export interface ParameterInputs {
  /** Names of the parameters. */
  readonly names: readonly string[];
  /** Sizes of the named dimensions that they bring. */
  readonly sizes: Readonly<Record<string, number>>;
  /** The weights of which the graph is drawn. */
  drawing(index: WeightIndex): DrawingWeights;
  /** Inputs beside the parameters, for samples with a scale of the LoRA. */
  feeds(samples: number, scale: number): Readonly<Record<string, Tensor>>;
}

export const isLora = (trained: Trained): trained is TrainedLora & Partial<TrainedInputs> => "layers" in trained;

export function parameterInputs(trained: Trained): ParameterInputs {
  const { inputs = [] } = trained;
  const own = isLora(trained) ? loraInputs(trained) : weightInputs("weights" in trained ? trained : { weights: [] });
  return { ...own, names: [...own.names, ...inputs] };
}

function loraInputs({ layers, alpha }: TrainedLora): ParameterInputs {
  // Every layer has a scale of its own: its rank may be smaller, and with it alpha / rank.
  const indices = layers.map(({ name, rank }, at): [string, Tensor] => [
    `${name}.scale_index`,
    int([rank], new Array<number>(rank).fill(at)),
  ]);
  return {
    names: layers.flatMap(({ name, weight }) =>
      weight.length === 2 ? [`${name}.down_t`, `${name}.up_t`] : [`${name}.down`, `${name}.up`],
    ),
    sizes: { scales: layers.length, ...Object.fromEntries(layers.map(({ name, rank }) => [`rank of ${name}`, rank])) },
    drawing: (index) => ({ ...index, loraLayers: new Set(layers.map(({ name }) => name)) }),
    feeds: (samples, scale) => ({
      ...Object.fromEntries(indices),
      adapter_scales: adapterScales(
        Array.from({ length: samples }, () => layers.map(({ rank }) => (scale * alpha) / rank)),
      ),
    }),
  };
}

const weightInputs = ({ weights }: TrainedWeights): ParameterInputs => ({
  names: weights,
  sizes: {},
  drawing: (index) => ({ ...index, inputs: new Set(weights) }),
  feeds: () => ({}),
});

/** First values of trained weights: those of the checkpoint, in float32 and in the shapes of the graph. */
export async function weightValues(
  trained: TrainedWeights,
  { draw, smallest }: Pick<Denoiser, "draw" | "smallest">,
  index: WeightIndex,
): Promise<Tensors> {
  const { inputs } = draw(smallest, weightInputs(trained).drawing(index));
  const values: Record<string, FloatTensor> = {};
  for (const name of trained.weights) {
    const [weight, input] = [index.weights.get(name), inputs.get(name)];
    if (!weight || !input) throw new RangeError(`the denoiser has no ${name}`);
    values[name] = float(input.shape.map(Number), await readFloats(weight));
  }
  return values;
}

/** Values of trained weights in the shapes of the checkpoint: a 1×1 convolution is a matrix in some graphs. */
export const inShapesOf = ({ weights }: WeightIndex, values: Tensors): Tensors =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, float(weights.get(name)?.shape ?? value.shape, value.data)]),
  );
