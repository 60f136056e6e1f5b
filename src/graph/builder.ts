/** Builds graphs: each method adds one node, checks its shapes, and returns its output. */
import type { Weight } from "../tensor/index.js";
import { type Dim, type Graph, known, type Node, type Op, shapeOf, type Value, type ValueType } from "./op.js";

/**
 * Graph under construction. Methods return new values and never change existing ones. Operations are documented in `Ops`.
 * @throws RangeError from every operation whose inputs have the wrong shapes
 */
export interface Builder {
  /** Input of the graph; the same value for the same name. `dtype` defaults to "float32". */
  input(name: string, shape: readonly Dim[], dtype?: ValueType): Value;
  /** Weight of a checkpoint, converted to float32 from its stored type; the same value for the same weight. */
  weight(weight: Weight): Value;
  /** float32 constant; `data` has the elements of `shape` in row-major order. */
  constant(shape: readonly number[], data: Float32Array): Value;
  /** Defaults: stride 1, groups 1, and ⌊kernel height / 2⌋ of padding on every side. */
  conv(x: Value, w: Value, bias: Value | undefined, o?: { stride?: number; pads?: Pads; groups?: number }): Value;
  convTranspose(x: Value, w: Value, o: Omit<Op<"convTranspose">, "kind">): Value;
  linear(x: Value, w: Value, bias?: Value): Value;
  product(a: Value, b: Value): Value;
  lowRank(x: Value, lora: LowRankInputs): Value;
  lowRankConv(x: Value, lora: LowRankInputs, o: { stride: number; pads: Pads }): Value;
  groupNorm(x: Value, weight: Value, bias: Value, o: { groups: number; epsilon: number }): Value;
  layerNorm(x: Value, weight: Value, bias: Value, epsilon: number): Value;
  rmsNorm(x: Value, weight: Value, epsilon: number): Value;
  rope(x: Value, cos: Value, sin: Value, o: { interleaved: boolean }): Value;
  /** `causal` defaults to false. */
  attention(q: Value, k: Value, v: Value, o: { heads: number; causal?: boolean; bias?: Value; scale?: number }): Value;
  add(a: Value, b: Value): Value;
  sub(a: Value, b: Value): Value;
  mul(a: Value, b: Value): Value;
  div(a: Value, b: Value): Value;
  silu(x: Value): Value;
  gelu(x: Value): Value;
  geluTanh(x: Value): Value;
  quickGelu(x: Value): Value;
  relu(x: Value): Value;
  tanh(x: Value): Value;
  sin(x: Value): Value;
  cos(x: Value): Value;
  sqrt(x: Value): Value;
  reshape(x: Value, shape: readonly Dim[]): Value;
  transpose(x: Value, order: readonly number[]): Value;
  concat(parts: readonly Value[], axis: number): Value;
  slice(x: Value, axis: number, from: number, to: number): Value;
  mean(x: Value, axes: readonly number[]): Value;
  resizeNearest(x: Value, height: number, width: number): Value;
  /** Defaults: pad 0, ceil false. */
  maxPool(x: Value, o: { kernel: number; stride: number; pad?: number; ceil?: boolean }): Value;
  /** Defaults: pad 0, countPad true. */
  averagePool(x: Value, o: { kernel: number; stride: number; pad?: number; countPad?: boolean }): Value;
  embedding(table: Value, ids: Value): Value;
  pickRow(x: Value, index: Value): Value;
  expandBatch(x: Value, like: Value): Value;
  matmul(a: Value, b: Value): Value;
  softmax(x: Value): Value;
  sigmoid(x: Value): Value;
  exp(x: Value): Value;
  erf(x: Value): Value;
  greater(a: Value, b: Value): Value;
  sum(x: Value, axes: readonly number[]): Value;
  broadcast(x: Value, shape: readonly number[]): Value;
  /** Default: value 0. */
  pad(x: Value, axis: number, o: { before: number; after: number; value?: number }): Value;
  scatterRows(x: Value, ids: Value, rows: number): Value;
  placeRow(x: Value, index: Value, length: number): Value;
  /** Any operation by its kind and attributes. */
  apply(op: Op, inputs: readonly Value[]): Value;
  /** The graph with these outputs by name. Nodes that no output depends on are dropped. */
  finish(outputs: Readonly<Record<string, Value>>): Graph;
}

/** Inputs of `lowRank` and `lowRankConv` other than x. */
export interface LowRankInputs {
  readonly down: Value;
  readonly up: Value;
  readonly scaleIndex: Value;
  readonly scales: Value;
}

type Pads = readonly [number, number, number, number];

const defined = (...values: (Value | undefined)[]) => values.filter((v) => v !== undefined);

/** Methods of the builder that add one node. */
function operations(
  apply: (op: Op, ...from: Value[]) => Value,
): Omit<Builder, "input" | "weight" | "constant" | "apply" | "finish"> {
  return {
    conv: (x, w, bias, { stride = 1, pads, groups = 1 } = {}) => {
      const half = Math.floor(known(w.shape[2]) / 2);
      return apply({ kind: "conv", stride, pads: pads ?? [half, half, half, half], groups }, ...defined(x, w, bias));
    },
    convTranspose: (x, w, o) => apply({ kind: "convTranspose", ...o }, x, w),
    linear: (x, w, bias) => apply({ kind: "linear" }, ...defined(x, w, bias)),
    product: (a, b) => apply({ kind: "product" }, a, b),
    lowRank: (x, { down, up, scaleIndex, scales }) => apply({ kind: "lowRank" }, x, down, up, scaleIndex, scales),
    lowRankConv: (x, { down, up, scaleIndex, scales }, { stride, pads }) =>
      apply({ kind: "lowRankConv", stride, pads }, x, down, up, scaleIndex, scales),
    groupNorm: (x, weight, bias, o) => apply({ kind: "groupNorm", ...o }, x, weight, bias),
    layerNorm: (x, weight, bias, epsilon) => apply({ kind: "layerNorm", epsilon }, x, weight, bias),
    rmsNorm: (x, weight, epsilon) => apply({ kind: "rmsNorm", epsilon }, x, weight),
    rope: (x, cos, sin, { interleaved }) => apply({ kind: "rope", interleaved }, x, cos, sin),
    attention: (q, k, v, { heads, causal = false, bias, scale }) =>
      apply({ kind: "attention", heads, causal, ...(scale !== undefined && { scale }) }, ...defined(q, k, v, bias)),
    add: (a, b) => apply({ kind: "add" }, a, b),
    sub: (a, b) => apply({ kind: "sub" }, a, b),
    mul: (a, b) => apply({ kind: "mul" }, a, b),
    div: (a, b) => apply({ kind: "div" }, a, b),
    silu: (x) => apply({ kind: "silu" }, x),
    gelu: (x) => apply({ kind: "gelu" }, x),
    geluTanh: (x) => apply({ kind: "geluTanh" }, x),
    quickGelu: (x) => apply({ kind: "quickGelu" }, x),
    relu: (x) => apply({ kind: "relu" }, x),
    tanh: (x) => apply({ kind: "tanh" }, x),
    sin: (x) => apply({ kind: "sin" }, x),
    cos: (x) => apply({ kind: "cos" }, x),
    sqrt: (x) => apply({ kind: "sqrt" }, x),
    reshape: (x, shape) => apply({ kind: "reshape", shape }, x),
    transpose: (x, order) => apply({ kind: "transpose", order }, x),
    concat: (parts, axis) => apply({ kind: "concat", axis }, ...parts),
    slice: (x, axis, from, to) => apply({ kind: "slice", axis, from, to }, x),
    mean: (x, axes) => apply({ kind: "mean", axes }, x),
    resizeNearest: (x, height, width) => apply({ kind: "resizeNearest", height, width }, x),
    maxPool: (x, { pad = 0, ceil = false, ...o }) => apply({ kind: "maxPool", ...o, pad, ceil }, x),
    averagePool: (x, { pad = 0, countPad = true, ...o }) => apply({ kind: "averagePool", ...o, pad, countPad }, x),
    embedding: (table, index) => apply({ kind: "embedding" }, table, index),
    pickRow: (x, index) => apply({ kind: "pickRow" }, x, index),
    expandBatch: (x, like) => apply({ kind: "expandBatch" }, x, like),
    matmul: (a, b) => apply({ kind: "matmul" }, a, b),
    softmax: (x) => apply({ kind: "softmax" }, x),
    sigmoid: (x) => apply({ kind: "sigmoid" }, x),
    exp: (x) => apply({ kind: "exp" }, x),
    erf: (x) => apply({ kind: "erf" }, x),
    greater: (a, b) => apply({ kind: "greater" }, a, b),
    sum: (x, axes) => apply({ kind: "sum", axes }, x),
    broadcast: (x, shape) => apply({ kind: "broadcast", shape }, x),
    pad: (x, axis, { value = 0, ...o }) => apply({ kind: "pad", axis, ...o, value }, x),
    scatterRows: (x, ids, rows) => apply({ kind: "scatterRows", rows }, x, ids),
    placeRow: (x, index, length) => apply({ kind: "placeRow", length }, x, index),
  };
}

/** Builder of an empty graph. */
export function createBuilder(): Builder {
  let ids = 0;
  const inputs = new Map<string, Value>();
  const weights = new Map<number, Weight>();
  const byWeight = new Map<Weight, Value>();
  const constants = new Map<number, { shape: readonly number[]; data: Float32Array }>();
  const nodes: Node[] = [];

  const fresh = (shape: readonly Dim[], dtype: ValueType = "float32"): Value => ({ id: ids++, dtype, shape });
  const apply = (op: Op, ...from: Value[]): Value => {
    const output = fresh(shapeOf(op, from), from[0]?.dtype);
    nodes.push({ op, inputs: from, output });
    return output;
  };
  return {
    input(name, shape, dtype = "float32") {
      const existing = inputs.get(name);
      if (existing) return existing;
      const value = fresh(shape, dtype);
      inputs.set(name, value);
      return value;
    },
    weight(weight) {
      const existing = byWeight.get(weight);
      if (existing) return existing;
      const value = fresh(weight.shape);
      byWeight.set(weight, value);
      weights.set(value.id, weight);
      return value;
    },
    constant(shape, data) {
      const value = fresh(shape);
      constants.set(value.id, { shape, data });
      return value;
    },
    ...operations(apply),
    apply: (op, from) => apply(op, ...from),
    finish(outputs) {
      const needed = new Set(Object.values(outputs).map((v) => v.id));
      const kept = nodes
        .toReversed()
        .filter((node) => {
          if (!needed.has(node.output.id)) return false;
          for (const v of node.inputs) needed.add(v.id);
          return true;
        })
        .reverse();
      const only = <T>(map: ReadonlyMap<number, T>) => new Map([...map].filter(([id]) => needed.has(id)));
      return {
        inputs: new Map(inputs),
        outputs: new Map(Object.entries(outputs)),
        nodes: kept,
        weights: only(weights),
        constants: only(constants),
      };
    },
  };
}
