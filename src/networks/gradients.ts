/** Sessions of a graph that is extended by a scalar, with the scalar's gradients. */
import {
  type Builder,
  bindDimensions,
  createBuilder,
  encodeGraph,
  type Graph,
  rebuild,
  type Value,
  withGradients,
} from "../graph/index.js";
import type { Runtime, Session, Upcast } from "../runtime/index.js";

/** What is differentiated: a scalar of an output, towards some of the graph's inputs. */
export interface Differentiated {
  /** Name of the output that the scalar is made of, and the scalar's own name. */
  readonly output: string;
  readonly of: string;
  readonly scalar: (g: Builder, output: Value) => Value;
  readonly to: readonly string[];
  /** Sizes of the graph's named dimensions. */
  readonly sizes: Readonly<Record<string, number>>;
}

/**
 * Loads a graph whose outputs are the scalar and, by `gradientOf`, its gradients.
 * @throws RangeError for an output, an input or a dimension that is not there
 */
export function loadGradients(
  { runtime, upcast }: { readonly runtime: Runtime; readonly upcast: Upcast },
  drawn: Graph,
  { sizes, to, ...scalar }: Differentiated,
): Promise<Session> {
  const graph = withGradients(withScalar(bindDimensions(drawn, sizes), scalar), { of: scalar.of, to });
  return runtime.load(encodeGraph(graph), upcast);
}

/** The graph with a scalar of one of its outputs in place of its outputs. */
function withScalar(graph: Graph, { output, of, scalar }: Pick<Differentiated, "output" | "of" | "scalar">): Graph {
  const value = graph.outputs.get(output);
  if (!value) throw new RangeError(`the graph has no ${output}`);
  const g = createBuilder();
  return g.finish({ [of]: scalar(g, rebuild(graph, g)(value)) });
}
