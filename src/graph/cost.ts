/** Floating-point operations of a graph, counted for matrix products and convolutions, which dominate. */
import { type Dim, type Graph, known, type Node, type OpKind } from "./op.js";

type Rule = (node: Node, batch: number) => number;

const none: Rule = () => 0;
const size = (shape: readonly Dim[] | undefined, batch: number): number =>
  (shape ?? []).reduce<number>((n, d) => n * (typeof d === "number" ? d : batch), 1);

/** Floating-point operations of one node; a multiply-add counts as two. */
const rules: { readonly [K in OpKind]: Rule } = {
  conv: ({ inputs, output }, batch) => 2 * size(output.shape, batch) * size(inputs[1]?.shape.slice(1), batch),
  linear: ({ inputs, output }, batch) => 2 * size(output.shape, batch) * known(inputs[1]?.shape[1]),
  product: ({ inputs: [a, b] }, batch) => 2 * size(a?.shape, batch) * size(b?.shape.slice(0, 1), batch),
  // q kᵀ and the product with v.
  attention: ({ inputs: [q, k] }, batch) => 4 * size(q?.shape, batch) * known(k?.shape[1]),
  // The rank is only known at run time.
  lowRank: none,
  lowRankConv: none,
  groupNorm: none,
  layerNorm: none,
  rmsNorm: none,
  rope: none,
  add: none,
  sub: none,
  mul: none,
  div: none,
  silu: none,
  gelu: none,
  geluTanh: none,
  quickGelu: none,
  relu: none,
  tanh: none,
  sin: none,
  cos: none,
  sqrt: none,
  reshape: none,
  transpose: none,
  concat: none,
  slice: none,
  mean: none,
  resizeNearest: none,
  maxPool: none,
  averagePool: none,
  embedding: none,
  pickRow: none,
  expandBatch: none,
  matmul: ({ inputs: [a], output }, batch) => 2 * size(output.shape, batch) * known(a?.shape.at(-1)),
  softmax: none,
  sigmoid: none,
  exp: none,
  erf: none,
  greater: none,
  sum: none,
  broadcast: none,
  pad: none,
  convTranspose: ({ inputs: [x, w] }, batch) => 2 * size(x?.shape, batch) * size(w?.shape.slice(1), batch),
  scatterRows: none,
  placeRow: none,
};

/** Floating-point operations of one run with batch size `batch`. Low-rank updates are not included. */
export const floatingPointOperations = (graph: Graph, batch: number): number =>
  graph.nodes.reduce((n, node) => n + rules[node.op.kind](node, batch), 0);
