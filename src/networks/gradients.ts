/** Sessions of a graph that is extended by a scalar of its outputs, with the scalar's gradients. */
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

/** What is differentiated: a scalar of the graph's outputs, towards some of its inputs. */
export interface Differentiated {
  /** Name of the scalar. */
  readonly of: string;
  /** @param output an output of the graph by its name. @throws RangeError where there is none */
  readonly scalar: (g: Builder, output: (name: string) => Value) => Value;
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
