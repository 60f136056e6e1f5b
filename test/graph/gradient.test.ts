import { describe, expect, it } from "vitest";
import {
  type Builder,
  createBuilder,
  type Graph,
  gradientOf,
  printGraph,
  type Value,
  withGradients,
  workingBytes,
} from "../../src/graph/index.js";
import { createRng } from "../../src/tensor/index.js";
import { evaluator, fill, type NdArray } from "../support/evaluate.js";

type Inputs = Readonly<Record<string, readonly number[]>>;
type Draw = (g: Builder, at: (name: string) => Value) => Value;

const noise = (seed: number) => {
  const rng = createRng(seed);
  return () => rng.randn([1]).data[0] ?? 0;
};

/** Loss Σ y ∘ c with a fixed random c, so that every element of y has its own cotangent. */
function lossGraph(inputs: Inputs, draw: Draw): Graph {
  const g = createBuilder();
  const y = draw(g, (name) => g.input(name, inputs[name] ?? []));
  const random = noise(7);
  const shape = y.shape.map(Number);
  const weights = g.constant(shape, Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, random));
  return g.finish({
    loss: g.sum(
      g.mul(y, weights),
      shape.map((_, i) => i),
    ),
  });
}

/** The largest difference between gradients and central differences, relative to the largest gradient, by input. */
function worstDifference(
  inputs: Inputs,
  draw: Draw,
  ids: Readonly<Record<string, NdArray>> = {},
): Record<string, number> {
  const graph = lossGraph(inputs, draw);
  const random = noise(3);
  const feeds: Record<string, NdArray> = { ...ids };
  for (const [name, shape] of Object.entries(inputs)) feeds[name] = fill(shape, random);
  const to = Object.keys(inputs);
  const gradients = evaluator(withGradients(graph, { of: "loss", to }))(feeds);
  const outputs = evaluator(graph);
  const loss = (changed: Record<string, NdArray>) => outputs(changed).get("loss")?.data[0] ?? Number.NaN;
  return Object.fromEntries(
    to.map((name) => {
      const x = feeds[name];
      const gradient = gradients.get(gradientOf(name));
      if (!x || !gradient) throw new Error("no gradient");
      expect(gradient.shape).toEqual(x.shape);
      const h = 1e-5;
      const moved = (i: number, by: number) =>
        loss({ ...feeds, [name]: { ...x, data: x.data.map((v, k) => (k === i ? v + by : v)) } });
      const differences = gradient.data.map((v, i) => Math.abs(v - (moved(i, h) - moved(i, -h)) / (2 * h)));
      const largest = Math.max(...gradient.data.map(Math.abs));
      expect(largest).toBeGreaterThan(1e-3);
      return [name, Math.max(...differences) / largest];
    }),
  );
}

const ids = (...values: number[]): NdArray => ({ shape: [values.length], data: Float64Array.from(values) });

/** Cases by operation: input shapes, and the operation. Sizes differ on every axis. */
const CASES: Record<string, [Inputs, Draw]> = {
  "conv 3×3, bias": [{ x: [2, 3, 4, 5], w: [4, 3, 3, 3], b: [4] }, (g, at) => g.conv(at("x"), at("w"), at("b"))],
  "conv, stride 2, uneven padding": [
    { x: [2, 3, 5, 6], w: [2, 3, 3, 3] },
    (g, at) => g.conv(at("x"), at("w"), undefined, { stride: 2, pads: [0, 1, 1, 0] }),
  ],
  "conv 1×1": [{ x: [2, 3, 4, 5], w: [4, 3, 1, 1] }, (g, at) => g.conv(at("x"), at("w"), undefined)],
  "conv, groups": [
    { x: [2, 4, 3, 5], w: [6, 2, 3, 2] },
    (g, at) => g.conv(at("x"), at("w"), undefined, { groups: 2, pads: [1, 0, 1, 1] }),
  ],
  "conv, stride 4 patches": [
    { x: [1, 2, 8, 12], w: [3, 2, 4, 4] },
    (g, at) => g.conv(at("x"), at("w"), undefined, { stride: 4, pads: [0, 0, 0, 0] }),
  ],
  convTranspose: [
    { x: [2, 3, 4, 5], w: [3, 2, 3, 3] },
    (g, at) => g.convTranspose(at("x"), at("w"), { stride: 1, pads: [1, 1, 1, 1], groups: 1, height: 4, width: 5 }),
  ],
  "convTranspose, stride, groups, rows that no window reaches": [
    { x: [1, 4, 2, 3], w: [4, 2, 3, 2] },
    (g, at) => g.convTranspose(at("x"), at("w"), { stride: 2, pads: [1, 0, 0, 1], groups: 2, height: 5, width: 5 }),
  ],
  linear: [{ x: [2, 3, 4], w: [5, 4], b: [5] }, (g, at) => g.linear(at("x"), at("w"), at("b"))],
  "matmul, shared matrix": [{ a: [2, 3, 4], b: [4, 5] }, (g, at) => g.matmul(at("a"), at("b"))],
  "matmul, broadcast batch": [{ a: [2, 1, 3, 4], b: [3, 4, 2] }, (g, at) => g.matmul(at("a"), at("b"))],
  product: [{ a: [3, 4], b: [2, 4] }, (g, at) => g.product(at("a"), at("b"))],
  attention: [
    { q: [2, 3, 8], k: [2, 5, 8], v: [2, 5, 8] },
    (g, at) => g.attention(at("q"), at("k"), at("v"), { heads: 2 }),
  ],
  "attention, bias": [
    { q: [2, 3, 8], k: [2, 5, 8], v: [2, 5, 8], b: [1, 1, 3, 5] },
    (g, at) => g.attention(at("q"), at("k"), at("v"), { heads: 2, bias: at("b") }),
  ],
  "attention, bias of each sample and head, scale": [
    { q: [2, 3, 8], k: [2, 5, 8], v: [2, 5, 8], b: [2, 2, 3, 5] },
    (g, at) => g.attention(at("q"), at("k"), at("v"), { heads: 2, bias: at("b"), scale: 1 }),
  ],
  "attention, causal": [
    { q: [2, 4, 6], k: [2, 4, 6], v: [2, 4, 6] },
    (g, at) => g.attention(at("q"), at("k"), at("v"), { heads: 3, causal: true }),
  ],
  groupNorm: [
    { x: [2, 6, 3, 2], w: [6], b: [6] },
    (g, at) => g.groupNorm(at("x"), at("w"), at("b"), { groups: 3, epsilon: 1e-5 }),
  ],
  layerNorm: [{ x: [2, 3, 5], w: [5], b: [5] }, (g, at) => g.layerNorm(at("x"), at("w"), at("b"), 1e-5)],
  rmsNorm: [{ x: [2, 3, 5], w: [5] }, (g, at) => g.rmsNorm(at("x"), at("w"), 1e-5)],
  "rope, neighbours": [
    { x: [2, 3, 8], c: [3, 2], s: [3, 2] },
    (g, at) => g.rope(at("x"), at("c"), at("s"), { interleaved: true }),
  ],
  "rope, halves": [
    { x: [2, 3, 8], c: [3, 2], s: [3, 2] },
    (g, at) => g.rope(at("x"), at("c"), at("s"), { interleaved: false }),
  ],
  lowRank: [
    { x: [2, 3, 4], down: [4, 2], up: [2, 5], scales: [2, 3] },
    (g, at) =>
      g.lowRank(at("x"), {
        down: at("down"),
        up: at("up"),
        scaleIndex: g.input("ids", [2], "int64"),
        scales: at("scales"),
      }),
  ],
  lowRankConv: [
    { x: [2, 3, 4, 5], down: [2, 3, 3, 3], up: [4, 2, 1, 1], scales: [2, 3] },
    (g, at) =>
      g.lowRankConv(
        at("x"),
        { down: at("down"), up: at("up"), scaleIndex: g.input("ids", [2], "int64"), scales: at("scales") },
        { stride: 2, pads: [1, 1, 1, 1] },
      ),
  ],
  "add, broadcast": [{ a: [2, 3, 4], b: [3, 1] }, (g, at) => g.add(at("a"), at("b"))],
  "sub, broadcast": [{ a: [3, 1], b: [2, 3, 4] }, (g, at) => g.sub(at("a"), at("b"))],
  "mul, broadcast": [{ a: [2, 3, 4], b: [4] }, (g, at) => g.mul(at("a"), at("b"))],
  "mul by itself": [{ a: [2, 3] }, (g, at) => g.mul(at("a"), at("a"))],
  div: [
    { a: [2, 3], b: [1, 3] },
    (g, at) => g.div(at("a"), g.add(g.mul(at("b"), at("b")), g.constant([], Float32Array.of(1)))),
  ],
  silu: [{ x: [3, 4] }, (g, at) => g.silu(at("x"))],
  gelu: [{ x: [3, 4] }, (g, at) => g.gelu(at("x"))],
  geluTanh: [{ x: [3, 4] }, (g, at) => g.geluTanh(at("x"))],
  quickGelu: [{ x: [3, 4] }, (g, at) => g.quickGelu(at("x"))],
  relu: [{ x: [3, 4] }, (g, at) => g.relu(at("x"))],
  tanh: [{ x: [3, 4] }, (g, at) => g.tanh(at("x"))],
  "sin and cos": [{ x: [3, 4] }, (g, at) => g.mul(g.sin(at("x")), g.cos(at("x")))],
  "sqrt of exp": [{ x: [3, 4] }, (g, at) => g.sqrt(g.exp(at("x")))],
  softmax: [{ x: [2, 3, 4] }, (g, at) => g.softmax(at("x"))],
  "reshape and transpose": [{ x: [2, 3, 4] }, (g, at) => g.transpose(g.reshape(at("x"), [4, 2, 3]), [1, 2, 0])],
  "concat of a value with itself and another": [
    { a: [2, 3], b: [2, 2] },
    (g, at) => g.concat([at("a"), at("b"), at("a")], 1),
  ],
  slice: [{ x: [4, 5] }, (g, at) => g.slice(at("x"), 1, 1, 4)],
  mean: [{ x: [2, 3, 4] }, (g, at) => g.mean(at("x"), [0, 2])],
  sum: [{ x: [2, 3, 4] }, (g, at) => g.sum(at("x"), [1])],
  broadcast: [{ x: [3, 1] }, (g, at) => g.broadcast(at("x"), [2, 3, 4])],
  pad: [{ x: [3, 2] }, (g, at) => g.pad(at("x"), 1, { before: 1, after: 2, value: 5 })],
  "resizeNearest, whole factors": [{ x: [1, 2, 3, 2] }, (g, at) => g.resizeNearest(at("x"), 6, 6)],
  "resizeNearest, other sizes": [{ x: [1, 2, 3, 4] }, (g, at) => g.resizeNearest(at("x"), 5, 7)],
  maxPool: [{ x: [2, 2, 5, 6] }, (g, at) => g.maxPool(at("x"), { kernel: 3, stride: 2, pad: 1 })],
  "maxPool, ceil": [{ x: [1, 2, 6, 7] }, (g, at) => g.maxPool(at("x"), { kernel: 3, stride: 2, ceil: true })],
  averagePool: [{ x: [2, 2, 5, 6] }, (g, at) => g.averagePool(at("x"), { kernel: 3, stride: 2, pad: 1 })],
  "averagePool without padding in the mean": [
    { x: [2, 2, 5, 6] },
    (g, at) => g.averagePool(at("x"), { kernel: 3, stride: 1, pad: 1, countPad: false }),
  ],
  embedding: [{ table: [4, 3] }, (g, at) => g.embedding(at("table"), g.input("ids", [2], "int64"))],
  scatterRows: [{ x: [2, 3] }, (g, at) => g.scatterRows(at("x"), g.input("ids", [2], "int64"), 4)],
  pickRow: [{ x: [2, 4, 3] }, (g, at) => g.pickRow(at("x"), g.input("ids", [2], "int64"))],
  placeRow: [{ x: [2, 3] }, (g, at) => g.placeRow(at("x"), g.input("ids", [2], "int64"), 5)],
  expandBatch: [
    { x: [1, 3], like: [4, 2] },
    (g, at) => g.mul(g.expandBatch(at("x"), at("like")), g.slice(g.concat([at("like"), at("like")], 1), 1, 0, 3)),
  ],
};

describe("gradients equal central differences in float64", () => {
  it.each(Object.entries(CASES))("%s", (_, [inputs, draw]) => {
    for (const difference of Object.values(worstDifference(inputs, draw, { ids: ids(2, 0) })))
      expect(difference).toBeLessThan(1e-6);
  });

  it("sums the rows of an index that occurs twice", () => {
    const [, draw] = CASES["embedding"] ?? [];
    if (!draw) throw new Error("no case");
    expect(worstDifference({ table: [4, 3] }, draw, { ids: ids(1, 1) })["table"]).toBeLessThan(1e-6);
  });
});

describe("withGradients", () => {
  it("writes a backward graph that can be read", () => {
    const g = createBuilder();
    const [x, w] = [g.input("x", [2, 3]), g.input("w", [4, 3])];
    const graph = g.finish({ loss: g.mean(g.silu(g.linear(x, w)), [0, 1]) });
    expect(printGraph(withGradients(graph, { of: "loss", to: ["w"] }))).toMatchSnapshot();
  });

  it("computes nothing for what is not asked for", () => {
    const g = createBuilder();
    const x = g.input("x", [1, 2, 4, 4]);
    const first = g.conv(x, g.input("a", [2, 2, 3, 3]), undefined);
    const loss = g.sum(g.conv(first, g.input("b", [2, 2, 3, 3]), undefined), [0, 1, 2, 3]);
    const graph = g.finish({ loss });
    const kinds = (to: string[]) => withGradients(graph, { of: "loss", to }).nodes.map((n) => n.op.kind);
    // The gradient of b needs no convolution of cotangents; that of a needs one.
    expect(kinds(["b"]).filter((k) => k === "convTranspose")).toHaveLength(0);
    expect(kinds(["a"]).filter((k) => k === "convTranspose")).toHaveLength(1);
  });

  it("gives zeros for an input that the loss does not depend on", () => {
    const g = createBuilder();
    g.input("unused", [2, 3]);
    const x = g.input("x", [2]);
    const graph = withGradients(g.finish({ loss: g.sum(x, [0]) }), { of: "loss", to: ["unused", "x"] });
    const out = evaluator(graph)({ unused: fill([2, 3], () => 1), x: fill([2], () => 1) });
    expect(out.get("grad unused")).toEqual(fill([2, 3], () => 0));
    expect(out.get("grad x")).toEqual(fill([2], () => 1));
  });

  it("computes blocks again with the same gradients, after the gradients of what follows them", () => {
    const g = createBuilder();
    const w = [0, 1, 2, 3, 4, 5].map((i) => g.input(`w${i}`, [3, 3]));
    let x = g.input("x", [2, 4, 3]);
    const skip = x;
    for (const weight of w)
      x = g.add(
        g.silu(g.layerNorm(g.linear(x, weight), g.input(`n${weight.id}`, [3]), g.input(`b${weight.id}`, [3]), 1e-5)),
        x,
      );
    const graph = g.finish({ loss: g.mean(g.mul(g.add(x, skip), x), [0, 1, 2]) });
    const to = ["w0", "w3", "w5", "x"];
    const random = noise(11);
    const feeds = Object.fromEntries(
      [...graph.inputs].map(([name, { shape }]) => [name, fill(shape.map(Number), random)] as const),
    );
    const plain = withGradients(graph, { of: "loss", to });
    const expected = evaluator(plain)(feeds);
    for (const blocks of [2, 3, 6]) {
      const made = withGradients(graph, { of: "loss", to, blocks });
      expect(made.nodes.length).toBeGreaterThan(plain.nodes.length);
      expect(workingBytes(made, 1)).toBeLessThan(workingBytes(plain, 1));
      const found = evaluator(made)(feeds);
      for (const name of ["loss", ...to.map(gradientOf)])
        expect(
          found.get(name)?.data.map((v) => v + 0),
          `${name}, ${blocks}`,
        ).toEqual(expected.get(name)?.data.map((v) => v + 0));
    }
  });

  it("refuses a loss with several elements, and names that are not there", () => {
    const g = createBuilder();
    const x = g.input("x", [2]);
    const graph = g.finish({ y: g.mul(x, x) });
    expect(() => withGradients(graph, { of: "y", to: ["x"] })).toThrow(
      "the loss y must be an output with one element, not [2]",
    );
    expect(() => withGradients(graph, { of: "y", to: ["z"] })).toThrow("the graph has no input z");
  });
});
