/** The loss of a denoiser's prediction against a target, with its gradients towards a LoRA, as one graph on the runtime. */

import type { Model, Pair } from "../generate/index.js";
import {
  bindDimensions,
  createBuilder,
  encodeGraph,
  type Graph,
  gradientOf,
  rebuild,
  withGradients,
} from "../graph/index.js";
import type { Conditioning, DenoiserShape, ImageSize } from "../models/index.js";
import { adapterScales } from "../networks/index.js";
import type { Tensors } from "../optim/index.js";
import { count, type FloatTensor, float, int, stack, type Tensor } from "../tensor/index.js";
import type { TrainedLora } from "./lora.js";

/** A batch: noisy latents at one timestep, their conditioning, and what the model should predict for them. */
export interface Batch {
  /** x_t, B × [1, C, h, w]. */
  readonly latents: readonly FloatTensor[];
  readonly timestep: number;
  readonly conditioning: Conditioning;
  /** Guidance scale, for networks that embed it. */
  readonly guidance: number;
  readonly size: ImageSize;
  /** B × [1, C, h, w]. */
  readonly targets: readonly FloatTensor[];
  /** Scale of the LoRA. */
  readonly scale: number;
}

/** Computes losses and gradients of one model with a LoRA. */
export interface LossNetwork {
  /** Mean squared error of the prediction, and its gradient towards each parameter. */
  run(batch: Batch, parameters: Tensors): Promise<{ loss: number; gradients: Tensors }>;
  release(): Promise<void>;
}

const TARGET = "target";
const LOSS = "loss";

/** Extends the graph of a denoiser by `loss`: the mean squared difference of its prediction from the input `target`. */
export function withSquaredError(graph: Graph): Graph {
  const prediction = graph.outputs.get("prediction");
  if (!prediction) throw new RangeError("the graph has no prediction");
  const g = createBuilder();
  const y = rebuild(graph, g)(prediction);
  const shape = y.shape.map(Number);
  const difference = g.sub(y, g.input(TARGET, shape));
  const sum = g.sum(
    g.mul(difference, difference),
    shape.map((_, axis) => axis),
  );
  return g.finish({ [LOSS]: g.mul(sum, g.constant([], Float32Array.of(1 / count(shape)))) });
}

/** Loads the loss of a model for batches of one size. Weights are mapped as they are for generation. */
export async function openLoss(
  { engine }: { readonly engine: Pick<Pair["engine"], "runtime" | "upcast"> },
  model: Pick<Model, "denoiser" | "weights">,
  lora: TrainedLora,
  shape: DenoiserShape,
  batch: number,
): Promise<LossNetwork> {
  const index = await model.weights();
  const drawn = model.denoiser.draw(shape, { ...index, loraLayers: new Set(lora.layers.map((l) => l.name)) });
  const ranks = lora.layers.map(({ name, rank }) => [`rank of ${name}`, rank] as const);
  const bound = bindDimensions(drawn, { B: batch, scales: lora.layers.length, ...Object.fromEntries(ranks) });
  const to = lora.layers.flatMap(({ name, weight }) =>
    weight.length === 2 ? [`${name}.down_t`, `${name}.up_t`] : [`${name}.down`, `${name}.up`],
  );
  const graph = withGradients(withSquaredError(bound), { of: LOSS, to });
  const session = await engine.runtime.load(encodeGraph(graph), engine.upcast);
  // Every layer has a scale of its own: its rank may be smaller, and with it alpha / rank.
  const indices = lora.layers.map(({ name, rank }, at): [string, Tensor] => [
    `${name}.scale_index`,
    int([rank], new Array<number>(rank).fill(at)),
  ]);
  return {
    async run({ targets, conditioning, scale, ...call }, parameters) {
      const feeds = {
        ...model.denoiser.inputs({ ...call, conditioning: call.latents.map(() => conditioning) }),
        ...Object.fromEntries(indices),
        ...parameters,
        [TARGET]: stack(targets),
        adapter_scales: adapterScales(
          call.latents.map(() => lora.layers.map(({ rank }) => (scale * lora.alpha) / rank)),
        ),
      };
      const { outputs } = await session.run(feeds);
      const gradients = to.map((name) => [name, floatOf(outputs[gradientOf(name)], name)] as const);
      return { loss: floatOf(outputs[LOSS], LOSS).data[0] ?? Number.NaN, gradients: Object.fromEntries(gradients) };
    },
    release: () => session.release(),
  };
}

function floatOf(value: Tensor | undefined, name: string): FloatTensor {
  if (value?.dtype !== "float32") throw new RangeError(`the graph gave no ${name}`);
  return float(value.shape, value.data);
}
