/**
 * Recomputation: values of a graph's blocks that their gradients read are computed a second time, so that they need not be kept between (Chen et
 * al. 2016, arXiv 1604.06174). Knows where a graph is cut, not how it is differentiated.
 */
import type { Builder } from "./builder.js";
import type { Graph, Value } from "./op.js";

const sizeOf = ({ shape }: Value): number => shape.reduce<number>((n, d) => n * (typeof d === "number" ? d : 1), 1);

/**
 * Block of each node, 0 … `count` − 1, in the order of the nodes. Blocks hold about equal numbers of values, and are cut where the fewest values
 * go from the nodes before to those after.
 */
export function blocksOf(graph: Graph, count: number): readonly number[] {
  const { nodes } = graph;
  const crossing = crossingOf(graph);
  const total = nodes.reduce((n, { output }) => n + sizeOf(output), 0);
  const share = total / count;
  const blocks: number[] = [];
  let [block, made, best, next] = [0, 0, -1, share];
  const cuts = new Set<number>();
  for (const [at, { output }] of nodes.entries()) {
    made += sizeOf(output);
    if (made > next + share / 2) {
      if (best >= 0) cuts.add(best);
      [best, next] = [-1, next + share];
    }
    if (made > next - share / 2 && (best < 0 || (crossing[at] ?? 0) < (crossing[best] ?? 0))) best = at;
  }
  for (const at of nodes.keys()) {
    blocks.push(block);
    if (cuts.has(at)) block++;
  }
  return blocks;
}

/** Number of values of nodes up to each one that later nodes read. */
function crossingOf({ nodes, outputs }: Graph): number[] {
  const last = new Map<number, number>();
  for (const [at, { inputs }] of nodes.entries()) for (const v of inputs) last.set(v.id, at);
  for (const v of outputs.values()) last.set(v.id, nodes.length);
  const change = new Array<number>(nodes.length + 1).fill(0);
  for (const [at, { output }] of nodes.entries()) {
    const to = last.get(output.id) ?? at;
    change[at] = (change[at] ?? 0) + sizeOf(output);
    change[to] = (change[to] ?? 0) - sizeOf(output);
  }
  let now = 0;
  return nodes.map((_, at) => {
    now += change[at] ?? 0;
    return now;
  });
}

/**
 * Values of a graph in a new one that has them all, by the node whose gradients read them: those of its own block are computed again. What comes
 * into a block is added to 0 times a cotangent, so that nothing is computed again before its gradients are due; otherwise a runtime would
 * find both computations equal, and keep one.
 * @param now the new value of a value
 * @param kept names of inputs that are read as they are
 */
export function recomputed(
  g: Builder,
  graph: Graph,
  now: (v: Value) => Value,
  { blocks, kept }: { readonly blocks: readonly number[]; readonly kept: ReadonlySet<string> },
): (at: number, ct: Value) => (v: Value) => Value {
  const maker = new Map(graph.nodes.map(({ output }, at) => [output.id, at]));
  const plain = new Set([...graph.weights.keys(), ...graph.constants.keys()]);
  for (const [name, v] of graph.inputs) if (kept.has(name) || v.dtype !== "float32") plain.add(v.id);
  const known = new Map<number, (v: Value) => Value>();
  const last = blocks.at(-1);
  function valuesOf(block: number, ct: Value): (v: Value) => Value {
    const values = new Map<number, Value>();
    let nothing: Value | undefined;
    const zero = (): Value => {
      const axes = ct.shape.map((_, axis) => axis);
      nothing ??= g.mul(g.sum(ct, axes), g.constant([], Float32Array.of(0)));
      return nothing;
    };
    function again(v: Value): Value {
      if (plain.has(v.id)) return now(v);
      const found = values.get(v.id);
      if (found) return found;
      const node = graph.nodes[maker.get(v.id) ?? -1];
      const isInside = node !== undefined && blocks[maker.get(v.id) ?? -1] === block;
      const value =
        isInside && node
          ? g.apply(node.op, node.inputs.map(again))
          : v.dtype === "float32"
            ? g.add(now(v), zero())
            : now(v);
      values.set(v.id, value);
      return value;
    }
    return again;
  }
  return (at, ct) => {
    const block = blocks[at] ?? 0;
    if (block === last) return now;
    const values = known.get(block) ?? valuesOf(block, ct);
    known.set(block, values);
    return values;
  };
}
