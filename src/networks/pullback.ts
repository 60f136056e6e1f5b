/** Products of a network's transposed Jacobian with a cotangent: how an input would have to change for its output to change. */
import type { Stack } from "../adapters/index.js";
import { type Builder, type Graph, gradientOf, type Value, workingBytes } from "../graph/index.js";
import type { DrawingWeights } from "../models/index.js";
import type { Runtime, Upcast } from "../runtime/index.js";
import type { FloatTensor, Tensor, WeightIndex } from "../tensor/index.js";
import { adaptedWeights, stackInputs } from "./adapted.js";
import { floats } from "./floats.js";
import { gradientGraph, loadGradients } from "./gradients.js";

export interface PullbackOptions<S> {
  readonly runtime: Runtime;
  /** Time at which half-precision weights are upcast. */
  readonly upcast: Upcast;
  readonly weights: () => Promise<WeightIndex>;
  readonly draw: (shape: S, index: DrawingWeights) => Graph;
  readonly stack: Stack | null;
  /** Names of the output and of the input. */
  readonly of: string;
  readonly to: string;
  /** Computes values of blocks again for their gradients, in less memory and more time. Default: keeps all. */
  readonly recompute?: boolean;
}

export interface Pullback<S> {
  /** Cotangent of the output [its shape] → of the input [its shape]. `shape` and `feeds` are those of a call of the network. */
  run(shape: S, feeds: Readonly<Record<string, Tensor>>, cotangent: FloatTensor): Promise<FloatTensor>;
  /** Working memory of such a call in bytes, without the weights. */
  workingBytes(shape: S, feeds: Readonly<Record<string, Tensor>>): Promise<number>;
  /** Releases the sessions. */
  release(): Promise<void>;
}

const COTANGENT = "cotangent";
const PRODUCT = "product";

/** The pullback of a network in float32. It has sessions of its own, one for each shape and batch size, loaded when they are first run. */
export function openPullback<S>({ weights, draw, stack, of, to, recompute, ...on }: PullbackOptions<S>): Pullback<S> {
  const sessions = new Map<string, ReturnType<typeof load>>();
  async function prepared(shape: S, feeds: Readonly<Record<string, Tensor>>) {
    const index = await weights();
    const drawn = draw(shape, adaptedWeights(index, stack));
    const constant = stack ? await stackInputs(index, stack, [...drawn.inputs.keys()]) : {};
    const sizes = sizesOf(drawn, { ...constant, ...feeds });
    const scalar = (g: Builder, output: (name: string) => Value) => product(g, output(of), COTANGENT);
    return { drawn, wanted: { of: PRODUCT, scalar, to: [to], sizes, recompute: recompute ?? false }, constant };
  }
  async function load(shape: S, feeds: Readonly<Record<string, Tensor>>) {
    const { drawn, wanted, constant } = await prepared(shape, feeds);
    return { session: await loadGradients(on, drawn, wanted), constant };
  }
  return {
    async run(shape, feeds, cotangent) {
      const key = JSON.stringify([shape, cotangent.shape]);
      const loading = sessions.get(key) ?? load(shape, feeds);
      sessions.set(key, loading);
      const { session, constant } = await loading;
      const { outputs } = await session.run({ ...constant, ...feeds, [COTANGENT]: cotangent });
      return floats(outputs[gradientOf(to)]);
    },
    async workingBytes(shape, feeds) {
      const { drawn, wanted } = await prepared(shape, feeds);
      return workingBytes(gradientGraph(drawn, wanted).graph, 1);
    },
    async release() {
      // A session that could not be loaded has failed its call already.
      for (const loaded of await Promise.allSettled(sessions.values())) {
        if (loaded.status === "fulfilled") await loaded.value.session.release();
      }
      sessions.clear();
    },
  };
}

/** Sizes of a graph's named dimensions, from the tensors of its inputs. */
function sizesOf(graph: Graph, tensors: Readonly<Record<string, Tensor>>): Record<string, number> {
  const sizes: Record<string, number> = {};
  for (const [name, { shape }] of graph.inputs) {
    for (const [axis, dim] of shape.entries()) {
      const size = tensors[name]?.shape[axis];
      if (typeof dim === "string" && size !== undefined) sizes[dim] = size;
    }
  }
  return sizes;
}

/** Sum of the products of a value with the input `cotangent`, of the same shape. */
export function product(g: Builder, y: Value, cotangent: string): Value {
  const shape = y.shape.map(Number);
  return g.sum(
    g.mul(y, g.input(cotangent, shape)),
    shape.map((_, axis) => axis),
  );
}
