/** Sessions of a graph that is extended by a scalar of its outputs, with the scalar's gradients. */
import {
  type Builder,
  bindDimensions,
  createBuilder,
  type EncodedGraph,
  encodeGraph,
  type Graph,
  rebuild,
  type Value,
  withGradients,
  workingBytes,
} from "../graph/index.js";
import type { Runtime, Session, Upcast } from "../runtime/index.js";

/** What is differentiated: a scalar of the graph's outputs, towards some of its inputs. */
export interface Differentiated {
  /** Name of the scalar. */
  readonly of: string;
  /** @param output an output of the graph by its name. @throws RangeError where there is none */
  readonly scalar: (g: Builder, output: (name: string) => Value) => Value;
  readonly to: readonly string[];
  /** Sizes of the graph's named dimensions. */
  readonly sizes: Readonly<Record<string, number>>;
  /** Computes values of blocks again for their gradients, with the number of blocks that needs the least memory. Default: keeps all. */
  readonly recompute?: boolean;
}

/** Working memory of a graph with gradients in bytes, without the weights: with all values kept, and with what is computed again. */
export interface GradientMemory {
  readonly kept: number;
  readonly recomputed: number;
}

/** Numbers of blocks that are tried. */
const BLOCKS = [2, 4, 8, 16, 32];

/**
 * Loads a graph whose outputs are the scalar and, by `gradientOf`, its gradients.
 * @throws RangeError for an output, an input or a dimension that is not there
 */
export const loadGradients = (
  { runtime, upcast }: { readonly runtime: Runtime; readonly upcast: Upcast },
  drawn: Graph,
  wanted: Differentiated,
): Promise<Session> => runtime.load(encodeGradients(gradientGraph(drawn, wanted).graph), upcast);

/** Encodes a graph with gradients, whose operations are primitive. */
export const encodeGradients = (graph: Graph): EncodedGraph => encodeGraph(graph, { fusible: false });

/** The graph whose outputs are the scalar and its gradients; with `recompute` the memory that it needs. */
export function gradientGraph(
  drawn: Graph,
  { sizes, to, recompute = false, ...scalar }: Differentiated,
): { readonly graph: Graph; readonly memory: GradientMemory | null } {
  const whole = withScalar(bindDimensions(drawn, sizes), scalar);
  const plain = withGradients(whole, { of: scalar.of, to });
  if (!recompute) return { graph: plain, memory: null };
  const kept = workingBytes(plain, 1);
  let best = { graph: plain, bytes: kept };
  for (const blocks of BLOCKS) {
    const graph = withGradients(whole, { of: scalar.of, to, blocks });
    const bytes = workingBytes(graph, 1);
    if (bytes < best.bytes) best = { graph, bytes };
  }
  return { graph: best.graph, memory: { kept, recomputed: best.bytes } };
}

/** The graph with a scalar of its outputs in their place. */
function withScalar(graph: Graph, { of, scalar }: Pick<Differentiated, "of" | "scalar">): Graph {
  const g = createBuilder();
  const now = rebuild(graph, g);
  const output = (name: string): Value => {
    const value = graph.outputs.get(name);
    if (!value) throw new RangeError(`the graph has no ${name}`);
    return now(value);
  };
  return g.finish({ [of]: scalar(g, output) });
}
