/** A denoiser with trained parameters: its predictions, and the loss of a prediction against a target with the loss's gradients. */
import type { Model, Pair } from "../generate/index.js";
import { type Builder, bindDimensions, encodeGraph, gradientOf, type Value } from "../graph/index.js";
import type { Conditioning, DenoiserShape, ImageSize } from "../models/index.js";
import { encodeGradients, floats, type GradientMemory, gradientGraph } from "../networks/index.js";
import type { Tensors } from "../optim/index.js";
import type { Session } from "../runtime/index.js";
import { combine } from "../sampling/index.js";
import { count, type FloatTensor, float, sample, stack } from "../tensor/index.js";
import { byTextLength, textTokens } from "./text-lengths.js";
import { parameterInputs, type Trained } from "./trained.js";

/** A call of the denoiser: noisy latents and their conditioning. */
export interface TrainedCall {
  /** x_t, B × [1, C, h, w]. */
  readonly latents: readonly FloatTensor[];
  /** Timestep of all samples, or of each, B entries. */
  readonly timestep: number | readonly number[];
  /** Conditioning of each sample, B entries. */
  readonly conditioning: readonly Conditioning[];
  /** Guidance scale, for networks that embed it. */
  readonly guidance: number;
  readonly size: ImageSize;
  /** Scale of the LoRA. */
  readonly scale: number;
}

/** A batch: a call, and what the model should predict in it. */
export interface Batch extends TrainedCall {
  /** B × [1, C, h, w]. */
  readonly targets: readonly FloatTensor[];
  /** Weight w of each sample's squared error d² in the mean over the batch, B entries. Default: 1. */
  readonly weights?: readonly number[];
  /** c of the Pseudo-Huber loss √(w d² + c²) − c in place of w d². */
  readonly huber?: number;
}

/** A denoiser with what is trained. The first call of a shape loads its graph. */
export interface LossNetwork {
  /** Weighted mean error of the prediction, and its gradient towards each parameter. */
  run(batch: Batch, parameters: Tensors): Promise<{ loss: number; gradients: Tensors }>;
  /** With recomputation, the working memory of the largest batch so far; null before the first, and without. */
  memory(): GradientMemory | null;
  /** Predictions, B × [1, C, h, w]. */
  predict(call: TrainedCall, parameters: Tensors): Promise<FloatTensor[]>;
  release(): Promise<void>;
}

const PREDICTION = "prediction";
const TARGET = "target";
const WEIGHTS = "weights";
const LOSS = "loss";

/** Mean error of the prediction y [B, C, h, w] from the input `target`, with each sample's entry of the input `weights`, [B, 1, 1, 1]. */
const meanError =
  (huber: number | undefined) =>
  (g: Builder, output: (name: string) => Value): Value => {
    const y = output(PREDICTION);
    const shape = y.shape.map(Number);
    const difference = g.sub(y, g.input(TARGET, shape));
    const weights = g.input(
      WEIGHTS,
      shape.map((d, axis) => (axis === 0 ? d : 1)),
    );
    const squares = g.mul(g.mul(difference, difference), weights);
    const scalar = (value: number) => g.constant([], Float32Array.of(value));
    const errors = huber === undefined ? squares : g.sub(g.sqrt(g.add(squares, scalar(huber * huber))), scalar(huber));
    const sum = g.sum(
      errors,
      shape.map((_, axis) => axis),
    );
    return g.mul(sum, scalar(1 / count(shape)));
  };

/** Most graphs that stay loaded: batches of images of several sizes, and texts of several lengths, take turns. */
const LOADED = 4;

/** The samples of a call at some indices. */
function part<C extends TrainedCall & Partial<Pick<Batch, "targets" | "weights">>>(call: C, at: readonly number[]): C {
  const of = <T>(all: readonly T[]): T[] => at.flatMap((i) => all.slice(i, i + 1));
  const { latents, timestep, conditioning, targets, weights } = call;
  return {
    ...call,
    ...{ latents: of(latents), conditioning: of(conditioning) },
    timestep: typeof timestep === "number" ? timestep : of(timestep),
    ...(targets && { targets: of(targets) }),
    ...(weights && { weights: of(weights) }),
  };
}

/**
 * Prepares a model with what is trained. Weights are mapped as they are for generation.
 * @param options `recompute`: values that gradients read are computed again, in less memory and more time
 */
export async function openLoss(
  { engine }: { readonly engine: Pick<Pair["engine"], "runtime" | "upcast"> },
  { denoiser, weights }: Pick<Model, "denoiser" | "weights">,
  trained: Trained,
  { recompute = false }: { readonly recompute?: boolean | undefined } = {},
): Promise<LossNetwork> {
  const inputs = parameterInputs(trained);
  const index = inputs.drawing(await weights());
  const { runtime, upcast } = engine;
  const sessions = new Map<string, Promise<Session>>();
  let most: GradientMemory | null = null;

  /** The session of a call, with its inputs. */
  async function prepared(call: TrainedCall, parameters: Tensors, kind: "predict" | { readonly huber?: number }) {
    const { latents, conditioning, scale } = call;
    const [, , height = 1, width = 1] = latents[0]?.shape ?? [];
    const shape = { height, width, tokens: conditioning[0] ? textTokens(conditioning[0]) : 0 };
    const key = JSON.stringify([shape, latents.length, kind]);
    const session = sessions.get(key) ?? load(shape, latents.length, kind);
    sessions.delete(key);
    sessions.set(key, session);
    for (const [oldest, unused] of sessions) {
      if (sessions.size <= LOADED) break;
      sessions.delete(oldest);
      await (await unused).release();
    }
    const feeds = { ...denoiser.inputs(call), ...inputs.feeds(latents.length, scale), ...parameters };
    return { session: await session, feeds };
  }
  function load(shape: DenoiserShape, batch: number, kind: "predict" | { readonly huber?: number }): Promise<Session> {
    const drawn = denoiser.draw(shape, index);
    const sizes = { B: batch, ...inputs.sizes };
    if (kind === "predict") return runtime.load(encodeGraph(bindDimensions(drawn, sizes)), upcast);
    const wanted = { of: LOSS, scalar: meanError(kind.huber), to: inputs.names, sizes };
    const { graph, memory } = gradientGraph(drawn, { ...wanted, recompute });
    if (memory && memory.kept > (most?.kept ?? 0)) most = memory;
    return runtime.load(encodeGradients(graph), upcast);
  }
  /** Loss and gradients of samples with texts of one length. */
  async function lossOf({ targets, weights: own, huber, ...call }: Batch, parameters: Tensors) {
    const { session, feeds } = await prepared(call, parameters, { ...(huber !== undefined && { huber }) });
    const { outputs } = await session.run({
      ...feeds,
      [TARGET]: stack(targets),
      [WEIGHTS]: float([targets.length, 1, 1, 1], Float32Array.from(own ?? targets.map(() => 1))),
    });
    const gradients = inputs.names.map((name) => [name, floats(outputs[gradientOf(name)])] as const);
    return { loss: floats(outputs[LOSS]).data[0] ?? Number.NaN, gradients: Object.fromEntries(gradients) };
  }
  return {
    async run(batch, parameters) {
      const groups = byTextLength(batch.conditioning);
      if (groups.length <= 1) return lossOf(batch, parameters);
      let loss = 0;
      let gradients: Tensors = {};
      for (const at of groups) {
        const share = at.length / batch.latents.length;
        const found = await lossOf(part(batch, at), parameters);
        loss += share * found.loss;
        gradients = Object.fromEntries(
          Object.entries(found.gradients).map(([name, value]) => {
            const before = gradients[name];
            return [name, before ? combine([1, before], [share, value]) : combine([share, value])];
          }),
        );
      }
      return { loss, gradients };
    },
    memory: () => most,
    async predict(call, parameters) {
      const found: FloatTensor[] = [];
      for (const at of byTextLength(call.conditioning)) {
        const { session, feeds } = await prepared(part(call, at), parameters, "predict");
        const all = floats((await session.run(feeds)).outputs[PREDICTION]);
        for (const [place, i] of at.entries()) found[i] = sample(all, place);
      }
      return found;
    },
    async release() {
      for (const session of sessions.values()) await (await session).release();
      sessions.clear();
    },
  };
}
