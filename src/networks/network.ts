/** Networks that are built and loaded on the first call, and cache a few sessions by shape and adapters. */
import type { Stack } from "../adapters/index.js";
import { arenaBytes, bindKnown, encodeGraph, type Graph } from "../graph/index.js";
import type { DrawingWeights } from "../models/index.js";
import type { Device, Model, RunResult, Runtime, Session } from "../runtime/index.js";
import { BYTES, count, storedBytes, type Weight, type WeightIndex } from "../tensor/index.js";
import { adaptedWeights, stackInputs } from "./adapted.js";
import { type Feeds, joinedCalls } from "./joined.js";
import { type Compute, derivations, FLOAT32, openVinoBytes, type Precision, prepareWeights } from "./precision.js";
import { createSessionPool, type SessionPool } from "./sessions.js";

/** A network whose graph depends on a shape S (latent size, number of tokens) and on its stack of adapters. */
export interface Network<S> {
  readonly name: string;
  run(shape: S, feeds: Feeds, stack?: Stack | null): Promise<RunResult>;
  /** Loads the session for `shape` without running it. Returns the time in milliseconds, 0 when it was loaded already. */
  load(shape: S, stack?: Stack | null): Promise<number>;
  /** Working memory of a call in bytes, without the weights. Builds the graph once for each shape; loads no session. */
  workingBytes(shape: S, batch: number): Promise<number>;
  /** Releases all sessions; the next call loads again. */
  release(): Promise<void>;
}

export interface NetworkOptions {
  /** Default: float32. */
  readonly precision?: Precision;
  /** Session pool shared with other networks of the runtime. Default: a separate pool. */
  readonly pool?: SessionPool;
  /**
   * Calls that wait at the same time, for one session and one set of adapters, are made together up to this number of samples. For networks
   * whose feeds all have the batch as their first dimension. Default 1: every call is made alone.
   */
  readonly joinCalls?: number;
}

/** Sets of constant inputs that a session caches: two models may alternate on shared weights, each with its own set. */
const HELD = 2;

/** Bytes of sessions that a network without a shared pool keeps in addition to the last one. */
const OWN_SPARE = 256e6;

/** Share of what ONNX Runtime takes for a call that OpenVINO takes in bfloat16: 1.9 GB for SDXL's decoder at 1024 px (measured: docs/openvino.md). */
const BFLOAT16_SHARE = 0.35;

/** Empty index, for a graph that contains its weights or has none. */
export const NO_WEIGHTS = async (): Promise<WeightIndex> => ({ source: "no file", weights: new Map() });

/** Encodes a graph as a device computes it right and fast. */
export async function encodedFor(device: Device, graph: Graph, compute: Compute = "float32"): Promise<Model> {
  // OpenVINO 2026.4 computes another function for ONNX Runtime's RotaryEmbedding (measured: docs/openvino.md).
  const drawn = device === "openvino" ? (await import("./without-rotary.js")).withoutRotary(graph) : graph;
  return encodeGraph(drawn, {
    // WebGPU attention of ONNX Runtime 1.30 is wrong from 64 tokens on (measured on SwiftShader; relative error 0.2).
    fusedAttention: device !== "webgpu",
    // A table of 256,000 × 2,304 in bfloat16 took 2.4 GB and 0.8 s in every call to cast whole (measured: docs/memory.md).
    castRows: device === "cpu",
    type: compute === "int8" ? "float32" : compute,
  });
}

/** Session of a graph. `plain` builds the graph without adapters, whose derived weights are shared by all stacks. */
export async function sessionOf(
  name: string,
  runtime: Runtime,
  drawn: Graph,
  precision: Precision = FLOAT32,
  plain: () => Graph | Promise<Graph> = () => drawn,
): Promise<{ session: Session; inputs: readonly string[]; graph: Graph }> {
  const needed = derivations(drawn, precision).size > 0;
  const graph = needed ? await prepareWeights(name, drawn, await plain(), precision) : drawn;
  // Building and encoding a large graph take about 50 ms each: yields to the event loop in between.
  await new Promise((resolve) => setTimeout(resolve));
  const model = await encodedFor(runtime.device, graph, precision.compute);
  // At load, ONNX Runtime would unpack all matrices at once.
  const upcast = [...graph.weights.values()].some((w) => w.packed) ? "per-call" : precision.upcast;
  return { session: await runtime.load(model, upcast), inputs: [...graph.inputs.keys()], graph };
}

/** Weights in float32, of the size of the largest, that the arena holds where they are cast in every call (measured: docs/memory.md). */
const CAST = 5;

/** Bytes of the arena in which these weights become float32 in every call. */
export const castBytes = (weights: Iterable<Pick<Weight, "shape">>): number =>
  CAST * BYTES.float32 * [...weights].reduce((most, { shape }) => Math.max(most, count(shape)), 0);

/**
 * Bytes of weights that a session copies: on OpenVINO all; else those that cannot be mapped, half precision that is upcast at load, and quantised matrices,
 * which ONNX Runtime repacks.
 */
function copiedBytes(graph: Graph, device: Device, { compute, upcast = "at-load" }: Precision): number {
  return [...graph.weights.values()].reduce((n, weight) => {
    const { dtype, shape, scales, bits = 8, bytes } = weight;
    if (device === "openvino") return n + openVinoBytes(weight, compute === "bfloat16" ? "bfloat16" : "float32");
    const read = bytes.in === "memory" || bytes.source.path === undefined ? storedBytes(weight) : 0;
    if (scales) return n + read + (count(shape) * bits) / 8;
    const half = dtype === "float16" || dtype === "bfloat16";
    return n + read + (half && upcast === "at-load" ? count(shape) * BYTES.float32 : 0);
  }, 0);
}

/** Sizes of the named dimensions of a stack's inputs: the ranks of its adapters in each layer. */
async function ranksOf(graph: Graph, stack: Stack, index: WeightIndex): Promise<ReadonlyMap<string, number>> {
  const given = await stackInputs(index, stack, [...graph.inputs.keys()]);
  const sizes = Object.entries(given).flatMap(([name, { shape }]) =>
    (graph.inputs.get(name)?.shape ?? []).flatMap((d, i) =>
      typeof d === "string" ? [[d, shape[i] ?? 0] as const] : [],
    ),
  );
  return new Map(sizes);
}

/** Creates a network on `runtime` with `weights`; `draw` is called once for each new shape. */
export function network<S>(
  name: string,
  runtime: Runtime,
  draw: (shape: S, index: DrawingWeights) => Graph | Promise<Graph>,
  weights: () => Promise<WeightIndex>,
  { precision = FLOAT32, pool = createSessionPool(OWN_SPARE), joinCalls = 1 }: NetworkOptions = {},
): Network<S> {
  const owner = {};
  const arenas = new Map<string, Promise<number>>();
  // OpenVINO's convolutions take no kernels of a rank that is only known at run time, so its graphs have the ranks of their adapters.
  const fixed = runtime.device === "openvino";
  const keyOf = (shape: S, stack: Stack | null) =>
    JSON.stringify([shape, (fixed ? stack?.inputKey : stack?.graphKey) ?? null]);

  async function session(shape: S, stack: Stack | null, batch: number): Promise<Session> {
    const entry = await pool.use(owner, keyOf(shape, stack), batch, async () => {
      const index = await weights();
      const free = await draw(shape, adaptedWeights(index, stack));
      const drawn = fixed && stack ? bindKnown(free, await ranksOf(free, stack, index)) : free;
      const made = await sessionOf(name, runtime, drawn, precision, () => (stack ? draw(shape, index) : drawn));
      return {
        ...made,
        copies: copiedBytes(made.graph, runtime.device, precision),
        arena: arenaBytes(made.graph, 1) + castBytes([...made.graph.weights.values()].filter((w) => w.packed)),
      };
    });
    if (stack) {
      const { inputKey } = stack;
      if (!entry.held.includes(inputKey)) {
        for (const old of entry.held.splice(0, entry.held.length - HELD + 1)) await entry.session.drop(old);
        await entry.session.hold(inputKey, await stackInputs(await weights(), stack, entry.inputs));
      }
      entry.held = [...entry.held.filter((key) => key !== inputKey), inputKey];
    }
    return entry.session;
  }
  async function call(shape: S, feeds: Feeds, stack: Stack | null): Promise<RunResult> {
    const batch = Math.max(1, ...Object.values(feeds).map((t) => t.shape[0] ?? 1));
    return (await session(shape, stack, batch)).run(feeds, stack?.inputKey ?? null);
  }
  const joined = joinCalls > 1 ? joinedCalls(joinCalls, pool.inTurn) : null;
  return {
    name,
    run: (shape, feeds, stack = null) =>
      joined
        ? joined.run(JSON.stringify([keyOf(shape, stack), stack?.inputKey ?? null]), feeds, (all) =>
            call(shape, all, stack),
          )
        : pool.inTurn(() => call(shape, feeds, stack)),
    async load(shape, stack = null) {
      // A turn would keep a run from joining the call that is made next.
      if (pool.has(owner, keyOf(shape, stack))) return 0;
      return pool.inTurn(async () => {
        const start = performance.now();
        const known = pool.has(owner, keyOf(shape, stack));
        await session(shape, stack, 1);
        return known ? 0 : performance.now() - start;
      });
    },
    async workingBytes(shape, batch) {
      const key = JSON.stringify(shape);
      const one = arenas.get(key) ?? (async () => arenaBytes(await draw(shape, await weights()), 1))();
      arenas.set(key, one);
      const share = fixed && precision.compute === "bfloat16" ? BFLOAT16_SHARE : 1;
      return (await one) * batch * share;
    },
    release: () => pool.inTurn(() => pool.release(owner)),
  };
}
