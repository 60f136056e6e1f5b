/** The loss of a denoiser's prediction against a target, with its gradients towards a LoRA, as one graph on the runtime for each shape. */

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
import type { Session } from "../runtime/index.js";
import { count, type FloatTensor, float, int, stack, type Tensor } from "../tensor/index.js";
import type { TrainedLora } from "./lora.js";

/** A batch: noisy latents, their conditioning, and what the model should predict for them. */
export interface Batch {
  /** x_t, B × [1, C, h, w]. */
  readonly latents: readonly FloatTensor[];
  /** Timestep of all samples, or of each, B entries. */
  readonly timestep: number | readonly number[];
  /** Conditioning of each sample, B entries. */
  readonly conditioning: readonly Conditioning[];
  /** Guidance scale, for networks that embed it. */
  readonly guidance: number;
  readonly size: ImageSize;
  /** B × [1, C, h, w]. */
  readonly targets: readonly FloatTensor[];
  /** Weight of each sample's squared error in the mean over the batch, B entries. Default: 1. */
  readonly weights?: readonly number[];
  /** Scale of the LoRA. */
  readonly scale: number;
}

/** Computes losses and gradients of one model with a LoRA. */
export interface LossNetwork {
  /** Weighted mean squared error of the prediction, and its gradient towards each parameter. The first batch of a shape loads its graph. */
  run(batch: Batch, parameters: Tensors): Promise<{ loss: number; gradients: Tensors }>;
  release(): Promise<void>;
}

const TARGET = "target";
const WEIGHTS = "weights";
const LOSS = "loss";

/**
 * Extends the graph of a denoiser by `loss`: the mean squared difference of its prediction from the input `target`, each sample's times its
 * entry of the input `weights`, [B, 1, 1, 1].
 */
export function withSquaredError(graph: Graph): Graph {
  const prediction = graph.outputs.get("prediction");
  if (!prediction) throw new RangeError("the graph has no prediction");
  const g = createBuilder();
  const y = rebuild(graph, g)(prediction);
  const shape = y.shape.map(Number);
  const difference = g.sub(y, g.input(TARGET, shape));
  const weights = g.input(
    WEIGHTS,
    shape.map((d, axis) => (axis === 0 ? d : 1)),
  );
  const sum = g.sum(
    g.mul(g.mul(difference, difference), weights),
    shape.map((_, axis) => axis),
  );
  return g.finish({ [LOSS]: g.mul(sum, g.constant([], Float32Array.of(1 / count(shape)))) });
}

/** Most shapes whose graphs stay loaded: batches of images of several sizes take turns. */
const SHAPES = 4;

/** Prepares the loss of a model with a LoRA. Weights are mapped as they are for generation. */
export async function openLoss(
  { engine }: { readonly engine: Pick<Pair["engine"], "runtime" | "upcast"> },
  model: Pick<Model, "denoiser" | "weights">,
  lora: TrainedLora,
): Promise<LossNetwork> {
  const index = { ...(await model.weights()), loraLayers: new Set(lora.layers.map((l) => l.name)) };
  const ranks = lora.layers.map(({ name, rank }) => [`rank of ${name}`, rank] as const);
  const to = lora.layers.flatMap(({ name, weight }) =>
    weight.length === 2 ? [`${name}.down_t`, `${name}.up_t`] : [`${name}.down`, `${name}.up`],
  );
  // Every layer has a scale of its own: its rank may be smaller, and with it alpha / rank.
  const indices = lora.layers.map(({ name, rank }, at): [string, Tensor] => [
    `${name}.scale_index`,
    int([rank], new Array<number>(rank).fill(at)),
  ]);
  const sessions = new Map<string, Promise<Session>>();

  function load(shape: DenoiserShape, batch: number): Promise<Session> {
    const drawn = model.denoiser.draw(shape, index);
    const bound = bindDimensions(drawn, { B: batch, scales: lora.layers.length, ...Object.fromEntries(ranks) });
    const graph = withGradients(withSquaredError(bound), { of: LOSS, to });
    return engine.runtime.load(encodeGraph(graph), engine.upcast);
  }
  async function sessionFor(shape: DenoiserShape, batch: number): Promise<Session> {
    const key = JSON.stringify([shape, batch]);
    const session = sessions.get(key) ?? load(shape, batch);
    sessions.delete(key);
    sessions.set(key, session);
    for (const [oldest, unused] of sessions) {
      if (sessions.size <= SHAPES) break;
      sessions.delete(oldest);
      await (await unused).release();
    }
    return session;
  }
  return {
    async run({ targets, scale, weights, ...call }, parameters) {
      const { latents } = call;
      const [, , height = 1, width = 1] = latents[0]?.shape ?? [];
      const tokens = call.conditioning[0]?.streams["text"]?.shape[1] ?? 0;
      const session = await sessionFor({ height, width, tokens }, latents.length);
      const feeds = {
        ...model.denoiser.inputs(call),
        ...Object.fromEntries(indices),
        ...parameters,
        [TARGET]: stack(targets),
        [WEIGHTS]: float([latents.length, 1, 1, 1], Float32Array.from(weights ?? latents.map(() => 1))),
        adapter_scales: adapterScales(latents.map(() => lora.layers.map(({ rank }) => (scale * lora.alpha) / rank))),
      };
      const { outputs } = await session.run(feeds);
      const gradients = to.map((name) => [name, floatOf(outputs[gradientOf(name)], name)] as const);
      return { loss: floatOf(outputs[LOSS], LOSS).data[0] ?? Number.NaN, gradients: Object.fromEntries(gradients) };
    },
    async release() {
      for (const session of sessions.values()) await (await session).release();
      sessions.clear();
    },
  };
}

function floatOf(value: Tensor | undefined, name: string): FloatTensor {
  if (value?.dtype !== "float32") throw new RangeError(`the graph gave no ${name}`);
  return float(value.shape, value.data);
}
