/** Lowers operations to ONNX nodes that ONNX Runtime runs efficiently, and states the compute type of each operation. */
import type { Weight } from "../tensor/index.js";
import { type Dim, type Op, type OpKind, outputPadding, type Value } from "./op.js";
import { type Attribute, ELEMENT } from "./proto.js";

/** Compute type of values. */
export type FloatType = "float32" | "float16";

/** Collects the ONNX nodes of lowered operations. Methods return the name of a value; equal constants and casts are shared. */
export interface Emitter {
  /** Adds a node with one output. */
  node(type: string, inputs: readonly string[], attributes?: Record<string, Attribute>, domain?: string): string;
  /** int64 constant [n]. */
  ints(values: readonly number[]): string;
  /** float32 constant [shape] with one value throughout. */
  floats(shape: readonly number[], fill: number): string;
  /** Rows [from, to) of a causal mask [n, n]: 0 on and below the diagonal, −1e30 above it. */
  causalMask(n: number, from: number, to: number): string;
  /** The weight behind a value if it is stored in codes of four or eight bits with scales. */
  quantised(v: Value | undefined): Weight | undefined;
  cast(name: string, to: FloatType): string;
  /** Matrix products are computed in float16. */
  readonly half: boolean;
  readonly fusedAttention: boolean;
  /** Limit of the attention scores of one sample, in bytes. */
  readonly scoreBytes: number;
}

interface Lowering<K extends OpKind> {
  readonly op: Op<K>;
  readonly inputs: readonly Value[];
  readonly names: readonly string[];
  readonly output: Value;
}

type Rule<K extends OpKind> = (e: Emitter, n: Lowering<K>) => string;

const MICROSOFT = "com.microsoft";
const sameAs =
  (type: string): Rule<OpKind> =>
  (e, n) =>
    e.node(type, n.names);

/** Target shape of a Reshape node: a named dimension is copied (0) where its axis does not change, else inferred (−1). */
function target(from: readonly Dim[], to: readonly Dim[]): number[] {
  return to.map((d, i) => (typeof d === "number" ? d : from[i] === d ? 0 : -1));
}

const windowOf = ({ kernel, stride, pad }: { kernel: number; stride: number; pad: number }) => ({
  kernel_shape: { ints: [kernel, kernel] },
  strides: { ints: [stride, stride] },
  pads: { ints: [pad, pad, pad, pad] },
});

/** Default limit of attention scores: the default size limit of a buffer binding in WebGPU. */
export const SCORE_BYTES = 128 * 2 ** 20;

/** Bytes of the attention scores of one sample, in float32. */
const scoresOf = ({ op, inputs: [q, k] }: Lowering<"attention">): number =>
  4 * op.heads * Number(q?.shape[1]) * Number(k?.shape[1]);

/** Attention as one node, which does not hold all scores at once unless it is causal (measured: docs/memory.md). */
const fusedAttention: Rule<"attention"> = (e, { op, names: [q = "", k = "", v = "", bias] }) =>
  e.node(
    "MultiHeadAttention",
    // Between them: a bias of the projections, and a mask of the keys.
    bias === undefined ? [q, k, v] : [q, k, v, "", "", bias],
    {
      num_heads: { int: op.heads },
      ...(op.causal && { unidirectional: { int: 1 } }),
      ...(op.scale !== undefined && { scale: { float: op.scale } }),
    },
    MICROSOFT,
  );

/** Attention as plain nodes, softmax(scale · q kᵀ + mask) v; in slices of queries where the scores of all exceed `scoreBytes`. */
const plainAttention: Rule<"attention"> = (e, n) => {
  const { op, inputs, names, output } = n;
  const [q = "", k = "", v = "", given] = names;
  const bias = given !== undefined && e.half ? e.cast(given, "float32") : given;
  const [length, features] = [Number(output.shape[1]), Number(output.shape[2])];
  const width = features / op.heads;
  const keyLength = Number(inputs[1]?.shape[1]);
  const split = (x: string, rows: number, order: readonly number[]) =>
    e.node("Transpose", [e.node("Reshape", [x, e.ints([0, rows, op.heads, width])])], { perm: { ints: order } });
  const scale = e.floats([1], op.scale ?? 1 / Math.sqrt(width));
  const [queries, keys, values] = [
    split(q, length, [0, 2, 1, 3]),
    split(k, keyLength, [0, 2, 3, 1]),
    split(v, keyLength, [0, 2, 1, 3]),
  ];
  const parts = Math.min(length, Math.ceil(scoresOf(n) / e.scoreBytes));
  const biased = (scores: string, from: number, to: number): string => {
    if (bias === undefined) return scores;
    const bounds = [e.ints([from]), e.ints([to]), e.ints([2])];
    return e.node("Add", [scores, to - from === length ? bias : e.node("Slice", [bias, ...bounds])]);
  };
  const attend = (some: string, from: number, to: number) => {
    // Unscaled scores can overflow float16: there q is scaled first, and softmax runs in float32.
    const scores = e.half
      ? e.cast(e.node("MatMul", [e.node("Mul", [some, e.cast(scale, "float16")]), keys]), "float32")
      : e.node("Mul", [e.node("MatMul", [some, keys]), scale]);
    const moved = biased(scores, from, to);
    const masked = op.causal ? e.node("Add", [moved, e.causalMask(length, from, to)]) : moved;
    const weights = e.node("Softmax", [masked], { axis: { int: -1 } });
    return e.node("MatMul", [e.half ? e.cast(weights, "float16") : weights, values]);
  };
  const attendPart = (part: number) => {
    const [from, to] = [part, part + 1].map((i) => Math.round((i * length) / parts));
    const bounds = [e.ints([from ?? 0]), e.ints([to ?? length]), e.ints([2])];
    return attend(e.node("Slice", [queries, ...bounds]), from ?? 0, to ?? length);
  };
  const heads =
    parts === 1
      ? attend(queries, 0, length)
      : e.node(
          "Concat",
          Array.from({ length: parts }, (_, i) => attendPart(i)),
          { axis: { int: 2 } },
        );
  const back = e.node("Transpose", [heads], { perm: { ints: [0, 2, 1, 3] } });
  return e.node("Reshape", [back, e.ints([0, length, features])]);
};

/** Accuracy level of MatMulNBits. With 8 bits, activations are quantised per block at run time; with 4 bits all is float32. */
const ACCURACY = { 4: 1, 8: 4 } as const;

/** Product with a quantised matrix, x […, I] → […, O]. */
function quantisedMatMul(
  e: Emitter,
  { shape: [out = 0, inputs = 0], bits = 8 }: Weight,
  [, blocks = 1]: readonly number[],
  [x = "", w = "", bias]: readonly string[],
): string {
  const attributes = { K: inputs, N: out, bits, block_size: inputs / blocks, accuracy_level: ACCURACY[bits] };
  const y = e.node(
    "MatMulNBits",
    [x, w, `${w}.scales`],
    Object.fromEntries(Object.entries(attributes).map(([name, int]) => [name, { int }])),
    MICROSOFT,
  );
  return bias === undefined ? y : e.node("Add", [y, bias]);
}

const windowsOf = ({ stride, pads, groups }: Op<"conv" | "convTranspose">): Record<string, Attribute> => ({
  strides: { ints: [stride, stride] },
  pads: { ints: pads },
  group: { int: groups },
});

const rules: { readonly [K in OpKind]: Rule<K> } = {
  conv: (e, { op, names }) => e.node("Conv", names, windowsOf(op)),
  // Gemm takes the checkpoint's [out, in] without a transpose and adds the bias. It takes matrices only, so leading
  // dimensions are flattened.
  linear(e, { inputs, names, output }) {
    const [x, w] = inputs;
    const [xName = "", ...rest] = names;
    const quantised = e.quantised(w);
    if (quantised?.scales) return quantisedMatMul(e, quantised, quantised.scales.shape, names);
    const flat = x?.shape.length === 2;
    const rows = flat ? xName : e.node("Reshape", [xName, e.ints([-1, Number(w?.shape[1])])]);
    const y = e.node("Gemm", [rows, ...rest], { transB: { int: 1 } });
    return flat ? y : e.node("Reshape", [y, e.ints(output.shape.map((d) => (typeof d === "number" ? d : -1)))]);
  },
  product: (e, { names: [a = "", b = ""] }) =>
    e.node("MatMul", [a, e.node("Transpose", [b], { perm: { ints: [1, 0] } })]),
  lowRank(e, { inputs, names }) {
    const [x = "", down = "", up = "", scaleIndex = "", scales = ""] = names;
    const chosen = e.node("Gather", [scales, scaleIndex], { axis: { int: 1 } });
    const each = inputs[0]?.shape.length === 3 ? e.node("Unsqueeze", [chosen, e.ints([1])]) : chosen;
    return e.node("MatMul", [e.node("Mul", [e.node("MatMul", [x, down]), each]), up]);
  },
  lowRankConv(e, { op, names }) {
    const [x = "", down = "", up = "", scaleIndex = "", scales = ""] = names;
    const chosen = e.node("Gather", [scales, scaleIndex], { axis: { int: 1 } });
    const hidden = e.node("Conv", [x, down], { strides: { ints: [op.stride, op.stride] }, pads: { ints: op.pads } });
    const each = e.node("Unsqueeze", [chosen, e.ints([2, 3])]);
    return e.node("Conv", [e.node("Mul", [hidden, each]), up]);
  },
  // Groups are the channels of an instance normalisation without scale; the scale and bias of each channel follow.
  groupNorm(e, { op, inputs, names, output }) {
    const channels = Number(output.shape[1]);
    const rows = e.node("Reshape", [names[0] ?? "", e.ints([0, op.groups, -1])]);
    const ones = e.floats([op.groups], 1);
    const normal = e.node("InstanceNormalization", [rows, ones, e.floats([op.groups], 0)], {
      epsilon: { float: op.epsilon },
    });
    const back = e.node("Reshape", [normal, e.ints(target(inputs[0]?.shape ?? [], output.shape))]);
    const column = e.ints([channels, ...output.shape.slice(2).map(() => 1)]);
    const scaled = e.node("Mul", [back, e.node("Reshape", [names[1] ?? "", column])]);
    return e.node("Add", [scaled, e.node("Reshape", [names[2] ?? "", column])]);
  },
  layerNorm: (e, { op, names }) =>
    e.node("LayerNormalization", names, { axis: { int: -1 }, epsilon: { float: op.epsilon } }),
  rmsNorm: (e, { op, names }) =>
    e.node("SimplifiedLayerNormalization", names, { axis: { int: -1 }, epsilon: { float: op.epsilon } }),
  // The positions of a call are 0, 1, …: one offset, 0.
  rope: (e, { op, names: [x = "", cos = "", sin = ""] }) =>
    e.node("RotaryEmbedding", [x, e.ints([0]), cos, sin], { interleaved: { int: Number(op.interleaved) } }, MICROSOFT),
  attention: (e, n) =>
    e.fusedAttention && !(n.op.causal && scoresOf(n) > e.scoreBytes) ? fusedAttention(e, n) : plainAttention(e, n),
  add: sameAs("Add"),
  sub: sameAs("Sub"),
  mul: sameAs("Mul"),
  div: sameAs("Div"),
  silu: (e, { names }) => e.node("QuickGelu", names, { alpha: { float: 1 } }, MICROSOFT),
  gelu: sameAs("Gelu"),
  geluTanh: (e, { names }) => e.node("Gelu", names, { approximate: { string: "tanh" } }),
  quickGelu: (e, { names }) => e.node("QuickGelu", names, { alpha: { float: 1.702 } }, MICROSOFT),
  relu: sameAs("Relu"),
  tanh: sameAs("Tanh"),
  sin: sameAs("Sin"),
  cos: sameAs("Cos"),
  sqrt: sameAs("Sqrt"),
  reshape: (e, { op, inputs, names }) =>
    e.node("Reshape", [...names, e.ints(target(inputs[0]?.shape ?? [], op.shape))]),
  transpose: (e, { op, names }) => e.node("Transpose", names, { perm: { ints: op.order } }),
  concat: (e, { op, names }) => e.node("Concat", names, { axis: { int: op.axis } }),
  slice: (e, { op, names }) => e.node("Slice", [...names, e.ints([op.from]), e.ints([op.to]), e.ints([op.axis])]),
  mean: (e, { op, names }) => e.node("ReduceMean", [...names, e.ints(op.axes)], { keepdims: { int: 0 } }),
  resizeNearest: (e, { op, names }) =>
    e.node("Resize", [...names, "", "", e.ints([op.height, op.width])], {
      axes: { ints: [2, 3] },
      mode: { string: "nearest" },
      coordinate_transformation_mode: { string: "asymmetric" },
      nearest_mode: { string: "floor" },
    }),
  maxPool: (e, { op, names }) =>
    e.node("MaxPool", names, { ...windowOf(op), ...(op.ceil && { ceil_mode: { int: 1 } }) }),
  averagePool: (e, { op, names }) =>
    e.node("AveragePool", names, { ...windowOf(op), count_include_pad: { int: Number(op.countPad) } }),
  embedding: sameAs("Gather"),
  pickRow(e, { names }) {
    const [x = "", index = ""] = names;
    const row = e.node("Unsqueeze", [index, e.ints([1])]);
    return e.node("GatherND", [x, row], { batch_dims: { int: 1 } });
  },
  expandBatch(e, { names, inputs }) {
    const [x = "", like = ""] = names;
    const batch = e.node("Shape", [like], { start: { int: 0 }, end: { int: 1 } });
    const rest = e.ints((inputs[0]?.shape.slice(1) ?? []).map(() => 1));
    return e.node("Expand", [x, e.node("Concat", [batch, rest], { axis: { int: 0 } })]);
  },
  matmul: sameAs("MatMul"),
  softmax: (e, { names }) => e.node("Softmax", names, { axis: { int: -1 } }),
  sigmoid: sameAs("Sigmoid"),
  exp: sameAs("Exp"),
  erf: sameAs("Erf"),
  greater: (e, { names }) => e.node("Cast", [e.node("Greater", names)], { to: { int: ELEMENT.float32 } }),
  sum: (e, { op, names }) => e.node("ReduceSum", [...names, e.ints(op.axes)], { keepdims: { int: 0 } }),
  broadcast: (e, { op, names }) => e.node("Expand", [...names, e.ints(op.shape)]),
  pad: (e, { op, names: [x = ""] }) =>
    e.node("Pad", [x, e.ints([op.before, op.after]), e.floats([], op.value), e.ints([op.axis])]),
  convTranspose: (e, { op, inputs, names }) =>
    e.node("ConvTranspose", names, { ...windowsOf(op), output_padding: { ints: outputPadding(op, inputs) } }),
  scatterRows(e, { inputs, names: [x = "", ids = ""], output }) {
    const zeros = e.node("Expand", [e.floats([1], 0), e.ints(output.shape.map(Number))]);
    const index = e.node("Unsqueeze", [ids, e.ints([inputs[1]?.shape.length ?? 1])]);
    return e.node("ScatterND", [zeros, index, x], { reduction: { string: "add" } });
  },
  placeRow(e, { op, names: [x = "", index = ""] }) {
    const chosen = e.node("Equal", [
      e.node("Unsqueeze", [index, e.ints([1])]),
      e.ints(Array.from({ length: op.length }, (_, i) => i)),
    ]);
    const mask = e.node("Unsqueeze", [e.node("Cast", [chosen], { to: { int: ELEMENT.float32 } }), e.ints([2])]);
    return e.node("Mul", [mask, e.node("Unsqueeze", [x, e.ints([1])])]);
  },
};

/**
 * Compute type of each operation where matrix products run in float16. Reductions over many values need float32; "given" keeps the type
 * of the inputs, so that the sines and cosines of a timestep stay float32 until the first layer.
 */
export const COMPUTE_TYPES: { readonly [K in OpKind]: FloatType | "given" } = {
  conv: "float16",
  linear: "float16",
  product: "float16",
  lowRank: "float16",
  lowRankConv: "float16",
  attention: "float16",
  groupNorm: "float32",
  layerNorm: "float32",
  rmsNorm: "float32",
  rope: "float32",
  mean: "float32",
  add: "given",
  sub: "given",
  mul: "given",
  div: "given",
  silu: "given",
  gelu: "given",
  geluTanh: "given",
  quickGelu: "given",
  relu: "given",
  tanh: "given",
  sin: "given",
  cos: "given",
  sqrt: "given",
  reshape: "given",
  transpose: "given",
  concat: "given",
  slice: "given",
  resizeNearest: "given",
  maxPool: "given",
  averagePool: "given",
  embedding: "given",
  pickRow: "given",
  expandBatch: "given",
  matmul: "float16",
  softmax: "float32",
  sigmoid: "given",
  exp: "float32",
  erf: "given",
  greater: "float32",
  sum: "float32",
  broadcast: "given",
  pad: "float32",
  convTranspose: "float16",
  scatterRows: "float32",
  placeRow: "float32",
};

/** Emits the nodes of an operation; returns the name of its output. */
export function lower<K extends OpKind>(e: Emitter, op: Op<K>, n: Omit<Lowering<K>, "op">): string {
  const kind: K = op.kind;
  return rules[kind](e, { op, ...n });
}
