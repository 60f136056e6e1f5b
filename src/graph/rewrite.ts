/** Rebuilds graphs node by node: named dimensions bound to sizes, operations replaced by others. */
import { type Builder, createBuilder } from "./builder.js";
import type { Dim, Graph, Op, Value } from "./op.js";

/** What changes in a graph that is rebuilt; by default, nothing. */
export interface Changes {
  dim?(dim: Dim): Dim;
  /** The value of an operation whose inputs are already rebuilt. */
  node?(g: Builder, op: Op, inputs: readonly Value[]): Value;
}

/** Adds the inputs, weights, constants and nodes of `graph` to a builder, with changes. → the new value of a value of `graph` */
export function rebuild(
  graph: Graph,
  g: Builder,
  { dim = (d) => d, node = (to, op, inputs) => to.apply(op, inputs) }: Changes = {},
): (v: Value) => Value {
  const values = new Map<number, Value>();
  const now = (v: Value): Value => {
    const value = values.get(v.id);
    if (!value) throw new RangeError(`value ${v.id} is not part of the graph`);
    return value;
  };
  for (const [name, v] of graph.inputs) values.set(v.id, g.input(name, v.shape.map(dim), v.dtype));
  for (const [id, w] of graph.weights) values.set(id, g.weight(w));
  for (const [id, { shape, data }] of graph.constants) values.set(id, g.constant(shape, data));
  for (const { op, inputs, output } of graph.nodes) {
    const bound = op.kind === "reshape" ? { ...op, shape: op.shape.map(dim) } : op;
    values.set(output.id, node(g, bound, inputs.map(now)));
  }
  return now;
}

/** The graph of another, with changes. */
export function rewritten(graph: Graph, changes: Changes): Graph {
  const g = createBuilder();
  const now = rebuild(graph, g, changes);
  return g.finish(Object.fromEntries([...graph.outputs].map(([name, v]) => [name, now(v)])));
}

/** The graph with those of its named dimensions bound that have a size. */
export function bindKnown(graph: Graph, sizes: ReadonlyMap<string, number>): Graph {
  return rewritten(graph, { dim: (d) => (typeof d === "number" ? d : (sizes.get(d) ?? d)) });
}

/**
 * The graph with all named dimensions bound to sizes.
 * @throws RangeError for a named dimension without a size
 */
export function bindDimensions(graph: Graph, sizes: Readonly<Record<string, number>>): Graph {
  const dim = (d: Dim): number => {
    const size = typeof d === "number" ? d : sizes[d];
    if (size === undefined) throw new RangeError(`dimension ${d} has no size`);
    return size;
  };
  return rewritten(graph, { dim });
}
