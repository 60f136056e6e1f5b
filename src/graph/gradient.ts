/** Reverse-mode differentiation: the graph of a loss extended by its gradients with respect to its inputs. */
import { type Builder, createBuilder } from "./builder.js";
import { decompose, isComposite, type PrimitiveKind } from "./decompose.js";
import type { Graph, Op, Value } from "./op.js";
import { blocksOf, recomputed } from "./recompute.js";
import { rebuild } from "./rewrite.js";
import { type Applied, VJP } from "./vjp.js";

/** Name of the output that holds the gradient of an input. */
export const gradientOf = (name: string): string => `grad ${name}`;

/**
 * The graph with a further output `gradientOf(name)` for each name in `to`: ∂loss/∂name, in the shape of the input. Weights are inputs where
 * the graph was drawn so (`DrawingWeights.inputs`). Only what
 * these depend on is differentiated. Composite operations are decomposed.
 *
 * @param of name of the output that is the loss; it has one element
 * @param to names of float32 graph inputs
 * @param blocks number of blocks of the graph whose values are computed again for their gradients, instead of being kept (Chen et al. 2016,
 * arXiv 1604.06174); default 1: all are kept. The gradients are the same
 * @throws RangeError for a loss with several elements, an unknown name, or a named dimension (see `bindDimensions`)
 * @example
 * ```ts
 * const g = createBuilder();
 * const w = g.input("w", [2]);
 * const loss = g.sum(g.mul(w, w), [0]);
 * const graph = withGradients(g.finish({ loss }), { of: "loss", to: ["w"] }); // outputs: loss, "grad w" = 2 w
 * ```
 */
export function withGradients(
  graph: Graph,
  { of, to, blocks = 1 }: { of: string; to: readonly string[]; blocks?: number },
): Graph {
  const plain = decompose(graph);
  const wanted = new Map(to.map((name) => [name, named(plain, name)]));
  const g = createBuilder();
  const now = rebuild(plain, g);
  const loss = plain.outputs.get(of);
  if (!loss || loss.shape.some((d) => d !== 1))
    throw new RangeError(`the loss ${of} must be an output with one element, not [${loss?.shape.join(", ") ?? ""}]`);
  const again = blocks > 1 ? recomputed(g, plain, now, { blocks: blocksOf(plain, blocks), kept: new Set(to) }) : null;
  const valueIn = (at: number, ct: Value) => again?.(at, ct) ?? now;
  const cotangents = backward(g, plain, valueIn, { loss, wanted: [...wanted.values()] });
  const zeros = (v: Value) => g.broadcast(g.constant([], Float32Array.of(0)), v.shape.map(Number));
  return g.finish({
    ...Object.fromEntries([...plain.outputs].map(([name, v]) => [name, now(v)])),
    ...Object.fromEntries([...wanted].map(([name, v]) => [gradientOf(name), cotangents.get(v.id) ?? zeros(v)])),
  });
}

function named(graph: Graph, name: string): Value {
  const input = graph.inputs.get(name);
  if (!input) throw new RangeError(`the graph has no input ${name}`);
  return input;
}

/**
 * Cotangents by the ids of the original graph's values.
 * @param valueIn value of the new graph that the gradients of the node at an index read, where the cotangent is that of its output
 */
function backward(
  g: Builder,
  graph: Graph,
  valueIn: (at: number, ct: Value) => (v: Value) => Value,
  { loss, wanted }: { loss: Value; wanted: readonly Value[] },
): ReadonlyMap<number, Value> {
  const depends = new Set(wanted.map((v) => v.id));
  for (const { inputs, output } of graph.nodes) if (inputs.some((v) => depends.has(v.id))) depends.add(output.id);
  const cotangents = new Map([[loss.id, g.broadcast(g.constant([], Float32Array.of(1)), loss.shape.map(Number))]]);
  const add = (v: Value, ct: Value): void => {
    const before = cotangents.get(v.id);
    cotangents.set(v.id, before ? g.add(before, ct) : ct);
  };
  for (const [at, { op, inputs, output }] of [...graph.nodes.entries()].reverse()) {
    const ct = cotangents.get(output.id);
    if (!ct || !depends.has(output.id)) continue;
    const now = valueIn(at, ct);
    const each = cotangentsOf(g, op, { inputs: inputs.map(now), y: now(output), ct });
    for (const [i, v] of inputs.entries()) {
      const own = each[i];
      if (own && v.dtype !== "int64" && depends.has(v.id)) add(v, own);
    }
  }
  return cotangents;
}

function cotangentsOf(g: Builder, op: Op, n: { inputs: readonly Value[]; y: Value; ct: Value }) {
  if (isComposite(op)) throw new RangeError(`${op.kind} must be decomposed first`);
  const [a, b = a, c = b, ...rest] = n.inputs;
  if (!a || !b || !c) throw new RangeError(`${op.kind} has no inputs`);
  return applied(g, op, { ...n, inputs: [a, b, c, ...rest], arity: n.inputs.length });
}

function applied<K extends PrimitiveKind>(g: Builder, op: Op<K>, n: Applied) {
  const kind: K = op.kind;
  return VJP[kind](g, op, n);
}
