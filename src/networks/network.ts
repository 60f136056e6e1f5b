/** Networks that are drawn and loaded when first asked for, one shape at a time, and let go when another shape is wanted. */
import type { Stack } from "../adapters/index.js";
import { encodeGraph, type Graph } from "../graph/index.js";
import type { RunResult, Runtime, Session } from "../runtime/index.js";
import type { FloatTensor, Tensor, WeightIndex } from "../tensor/index.js";
import { adaptedWeights, stackInputs } from "./adapted.js";
import { FLOAT32, type Precision, prepareWeights } from "./precision.js";

/** A network whose graph depends on a shape S (latent size, length of the text) and on the adapters that are stacked on it. */
export interface Network<S> {
  readonly name: string;
  run(shape: S, feeds: Readonly<Record<string, Tensor>>, stack?: Stack | null): Promise<RunResult>;
  /** Loads for `shape` without running; gives the milliseconds it took, 0 when it was loaded already. */
  load(shape: S, stack?: Stack | null): Promise<number>;
  /** Lets the network go; the next call loads it again. */
  release(): Promise<void>;
}

/** Sets of inputs that a network keeps: two models may take turns in one set of weights, each with its own. */
const HELD = 2;

/** For a graph whose weights are in it already, or that has none. */
export const NO_WEIGHTS = async (): Promise<WeightIndex> => ({ source: "no file", weights: new Map() });

/**
 * A drawn network as a session, its weights made fit for what is computed in, and the names of its inputs. `plain`: the same without
 * adapters, whose weights can be made once for all of them.
 */
export async function sessionOf(
  name: string,
  runtime: Runtime,
  drawn: Graph,
  precision: Precision,
  plain: Graph = drawn,
): Promise<{ session: Session; inputs: readonly string[] }> {
  const graph = await prepareWeights(name, drawn, plain, precision);
  // Drawing and encoding a large network take some 50 ms each: whoever waits for the event loop gets a turn in between.
  await new Promise((resolve) => setTimeout(resolve));
  const bytes = encodeGraph(graph, {
    // ONNX Runtime 1.30's WebGPU attention came out wrong from 64 tokens on (seen on SwiftShader; relative error 0.2).
    fusedAttention: runtime.device !== "webgpu",
    type: precision.compute === "float16" ? "float16" : "float32",
  });
  return { session: await runtime.load(bytes, await precision.widen?.()), inputs: [...graph.inputs.keys()] };
}

/**
 * A network on `runtime` over `weights`; `draw` is called once for each new shape. Calls take turns: one that wants another shape
 * does not take the session away from one that is running.
 */
export function network<S>(
  name: string,
  runtime: Runtime,
  draw: (shape: S, index: WeightIndex) => Graph | Promise<Graph>,
  weights: () => Promise<WeightIndex>,
  precision: Precision = FLOAT32,
): Network<S> {
  let loaded: { key: string; session: Session; inputs: readonly string[]; held: string[] } | undefined;
  let turn: Promise<unknown> = Promise.resolve();

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = turn.then(work);
    turn = next.catch(() => {});
    return next;
  }
  async function release(): Promise<void> {
    const last = loaded;
    loaded = undefined;
    await last?.session.release();
  }
  const keyOf = (shape: S, stack: Stack | null) => JSON.stringify([shape, stack?.graphKey ?? null]);
  async function session(shape: S, stack: Stack | null): Promise<Session> {
    const key = keyOf(shape, stack);
    if (loaded?.key !== key) {
      await release();
      const drawn = await draw(shape, adaptedWeights(await weights(), stack));
      const plain = stack ? await draw(shape, await weights()) : drawn;
      const made = await sessionOf(name, runtime, drawn, precision, plain);
      loaded = { key, ...made, held: [] };
    }
    if (stack && !loaded.held.includes(stack.inputKey)) {
      for (const old of loaded.held.splice(0, loaded.held.length - HELD + 1)) await loaded.session.drop(old);
      await loaded.session.hold(stack.inputKey, await stackInputs(await weights(), stack, loaded.inputs));
      loaded.held.push(stack.inputKey);
    }
    return loaded.session;
  }
  return {
    name,
    run: (shape, feeds, stack = null) =>
      inTurn(async () => (await session(shape, stack)).run(feeds, stack?.inputKey ?? null)),
    load: (shape, stack = null) =>
      inTurn(async () => {
        const start = performance.now();
        const known = loaded?.key === keyOf(shape, stack);
        await session(shape, stack);
        return known ? 0 : performance.now() - start;
      }),
    release: () => inTurn(release),
  };
}

/** The output of a network as floats. @throws RangeError when it is not there or of another type */
export function floats(value: FloatTensor | { dtype: "int64" | "float64" } | undefined): FloatTensor {
  if (value?.dtype !== "float32") throw new RangeError("a float output was expected of the network");
  return value;
}
