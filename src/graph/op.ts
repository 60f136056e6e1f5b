/** The closed set of graph operations: their inputs, attributes, semantics and output shapes. Independent of ONNX. */
import type { Weight } from "../tensor/index.js";

/** Size of a dimension, or its name where the size is only known at run time (the batch, the rank of an adapter). */
export type Dim = number | string;

/** Element type of a value: int64 for token ids and indices, float64 for products of statistics. */
export type ValueType = "float32" | "int64" | "float64";

/** An edge of the graph: a graph input, a weight, a constant, or the output of a node. */
export interface Value {
  readonly id: number;
  readonly dtype: ValueType;
  readonly shape: readonly Dim[];
}

/**
 * Operations by kind, each with the type of its attributes. Inputs are positional; the comment of an operation names them with
 * their shapes, the output, and the formula. B is the batch, C channels, H W height and width, L M sequence lengths, D I O features,
 * R rank. Values are float32 unless another type is given; a shape that does not match is a RangeError while the graph is built.
 */
export interface Ops {
  /**
   * 2-D convolution (cross-correlation, as torch.nn.functional.conv2d).
   *
   * x [B, C, H, W], w [O, C / groups, kh, kw], bias? [O] → [B, O, H′, W′] with H′ = ⌊(H + top + bottom − kh) / stride⌋ + 1 and
   * W′ = ⌊(W + left + right − kw) / stride⌋ + 1. `pads` are top, left, bottom, right, filled with zeros; H and W must be numbers.
   */
  conv: { stride: number; pads: readonly [number, number, number, number]; groups: number };
  /** Linear layer, x wᵀ + bias: x […, I], w [O, I], bias? [O] → […, O]. */
  linear: Record<never, never>;
  /** Product of two matrices by rows: a [N, D], b [M, D] → a bᵀ [N, M]. In float32 or float64. */
  product: Record<never, never>;
  /**
   * Low-rank update of a linear layer (LoRA: Hu et al. 2021, §4.1), with a scale for each sample and rank column.
   *
   * x [B, I] or [B, L, I], down [I, R], up [R, O], scaleIndex [R] int64, scales [B, S] → [B, O] or [B, L, O]:
   * (x down ∘ s) up with s[b, r] = scales[b, scaleIndex[r]]. R is a named dimension, so that one graph runs adapters of any rank, and
   * several of them concatenated.
   */
  lowRank: Record<never, never>;
  /**
   * Low-rank update of a convolution: `conv` by `down` with these attributes, scaled per channel as in `lowRank`, then a 1×1
   * convolution by `up`.
   *
   * x [B, C, H, W], down [R, C, kh, kw], up [O, R, 1, 1], scaleIndex [R] int64, scales [B, S] → [B, O, H′, W′].
   */
  lowRankConv: { stride: number; pads: readonly [number, number, number, number] };
  /**
   * Group normalisation (Wu & He 2018): (x − μ) / √(σ² + epsilon) · weight + bias, with mean μ and biased variance σ² of each sample
   * over each of `groups` equal groups of channels and all positions.
   *
   * x [B, C, …], weight [C], bias [C] → as x. `groups` divides C.
   */
  groupNorm: { groups: number; epsilon: number };
  /**
   * Layer normalisation (Ba et al. 2016): as `groupNorm`, with mean and biased variance over the last axis.
   *
   * x […, D], weight [D], bias [D] → as x.
   */
  layerNorm: { epsilon: number };
  /**
   * Root mean square normalisation (Zhang & Sennrich 2019): x / √(mean(x²) + epsilon) · weight over the last axis.
   *
   * x […, D], weight [D] → as x.
   */
  rmsNorm: { epsilon: number };
  /**
   * Rotary position embedding (Su et al. 2021): each pair (a, b) of features of a head becomes (a cos − b sin, b cos + a sin).
   *
   * x [B, L, D], cos [L, d / 2], sin [L, d / 2] → as x. D is split into heads of d features. Pair i of a head is its features 2i and 2i + 1
   * if `interleaved`, else i and i + d / 2.
   */
  rope: { interleaved: boolean };
  /**
   * Multi-head scaled dot-product attention (Vaswani et al. 2017, §3.2).
   *
   * q [B, L, D], k [B, M, D], v [B, M, D] → [B, L, D]. D is split into `heads` parts of d = D / heads features; each head computes
   * softmax(q kᵀ / √d) v, and the results are concatenated. Projections are not included. `causal` masks keys after the query:
   * query i attends to keys 0 … i, for L = M. A fourth input, bias [1 or B, 1 or heads, L, M], is added to the scores. `scale` replaces
   * 1 / √d, as in T5, which has 1.
   */
  attention: { heads: number; causal: boolean; scale?: number };
  /** a + b, element-wise. Shapes broadcast as in NumPy; a named dimension broadcasts with itself and with 1. */
  add: Record<never, never>;
  /** a − b, with broadcasting. */
  sub: Record<never, never>;
  /** a · b, element-wise with broadcasting. */
  mul: Record<never, never>;
  /** a / b, element-wise with broadcasting. */
  div: Record<never, never>;
  /** x · sigmoid(x) (SiLU, Swish). Shape as x. */
  silu: Record<never, never>;
  /** x · Φ(x) with the normal distribution function Φ, computed with erf (not the tanh approximation). Shape as x. */
  gelu: Record<never, never>;
  /** x / 2 · (1 + tanh(√(2 / π) (x + 0.044715 x³))): the approximation of GELU by Hendrycks and Gimpel 2016. Shape as x. */
  geluTanh: Record<never, never>;
  /** x · sigmoid(1.702 x): the approximation of GELU in OpenAI's CLIP. Shape as x. */
  quickGelu: Record<never, never>;
  /** max(x, 0). Shape as x. */
  relu: Record<never, never>;
  /** Hyperbolic tangent. Shape as x. */
  tanh: Record<never, never>;
  /** Sine of x in radians. Shape as x. */
  sin: Record<never, never>;
  /** Cosine of x in radians. Shape as x. */
  cos: Record<never, never>;
  /** Square root. Shape as x. */
  sqrt: Record<never, never>;
  /** x → `shape`: the same elements in row-major order. Both shapes have the same named dimensions, at most one of which moves. */
  reshape: { shape: readonly Dim[] };
  /** Permutes axes (torch.permute): output axis i is axis order[i] of x. */
  transpose: { order: readonly number[] };
  /** Concatenates inputs along `axis`; their other dimensions are equal. */
  concat: { axis: number };
  /** Elements from … to − 1 of x along `axis`; 0 ≤ from < to ≤ the size of that axis. */
  slice: { axis: number; from: number; to: number };
  /** Mean of x over `axes`, which are removed from the shape. */
  mean: { axes: readonly number[] };
  /** Nearest-neighbour resize: x [B, C, H, W] → [B, C, height, width]; row i is row ⌊i · H / height⌋ of x, columns alike. */
  resizeNearest: { height: number; width: number };
  /**
   * Max pooling: x [B, C, H, W] → [B, C, H′, W′], the maximum of each window of `kernel` × `kernel`; `pad` on all sides is ignored by
   * the maximum. H′ = ⌊(H + 2 pad − kernel) / stride⌋ + 1; `ceil` rounds up instead, as torch's ceil_mode.
   */
  maxPool: { kernel: number; stride: number; pad: number; ceil: boolean };
  /**
   * Average pooling: x [B, C, H, W] → [B, C, H′, W′], the mean of each window; H′ as in `maxPool`. `countPad` includes the zeros of the
   * padding in the mean (torch's count_include_pad).
   */
  averagePool: { kernel: number; stride: number; pad: number; countPad: boolean };
  /** Rows of a table by index: table [N, D], ids […] int64 → […, D]. */
  embedding: Record<never, never>;
  /** One row of each sample: x [B, L, D], index [B] int64 → [B, D], x[b, index[b]]. */
  pickRow: Record<never, never>;
  /** Repeats a single sample: x [1, …], like [B, …] → [B, …]. Of `like` only the batch size is read. */
  expandBatch: Record<never, never>;
  /** Product of matrices: a […, M, K], b […, K, N] → […, M, N]. Leading dimensions broadcast as in NumPy. */
  matmul: Record<never, never>;
  /** exp(x) / Σ exp(x) over the last axis. Shape as x. */
  softmax: Record<never, never>;
  /** 1 / (1 + exp(−x)). Shape as x. */
  sigmoid: Record<never, never>;
  /** Exponential function. Shape as x. */
  exp: Record<never, never>;
  /** Error function, 2 / √π ∫₀ˣ exp(−t²) dt. Shape as x. */
  erf: Record<never, never>;
  /** 1 where a > b, else 0, with broadcasting. */
  greater: Record<never, never>;
  /** Sum of x over `axes`, which are removed from the shape. */
  sum: { axes: readonly number[] };
  /** x repeated to `shape`, which it broadcasts to as in NumPy; all dimensions are numbers. */
  broadcast: { shape: readonly number[] };
  /** x with `before` and `after` elements of `value` added along `axis`. */
  pad: { axis: number; before: number; after: number; value: number };
  /**
   * The transpose of `conv` with the same w and attributes, as torch.nn.functional.conv_transpose2d: the cotangent of its x from that of its
   * output.
   *
   * x [B, O, H′, W′], w [O, C / groups, kh, kw] → [B, C, height, width], the size of the image that `conv` makes H′ × W′ of.
   */
  convTranspose: Ops["conv"] & { height: number; width: number };
  /** Sums rows by index, the transpose of `embedding`: x […, D], ids […] int64 → [rows, D], y[i] the sum of x where ids = i. */
  scatterRows: { rows: number };
  /** Places one row of each sample among zeros, the transpose of `pickRow`: x [B, D], index [B] int64 → [B, length, D]. */
  placeRow: { length: number };
}

/** Name of an operation. */
export type OpKind = keyof Ops;
/** Operation of the kinds K, with its attributes; of any kind by default. */
export type Op<K extends OpKind = OpKind> = { [P in K]: { readonly kind: P } & Readonly<Ops[P]> }[K];

/** One operation with its inputs and its output. */
export interface Node {
  readonly op: Op;
  readonly inputs: readonly Value[];
  readonly output: Value;
}

/** A finished, immutable graph. */
export interface Graph {
  readonly inputs: ReadonlyMap<string, Value>;
  readonly outputs: ReadonlyMap<string, Value>;
  /** In topological order: a node follows the nodes that compute its inputs. */
  readonly nodes: readonly Node[];
  /** Weights by the id of their value. Their bytes are not copied. */
  readonly weights: ReadonlyMap<number, Weight>;
  /** Tables computed while the graph was built, by the id of their value. */
  readonly constants: ReadonlyMap<number, { readonly shape: readonly number[]; readonly data: Float32Array }>;
}

const fail = (op: Op, inputs: readonly Value[], why: string): never => {
  const shapes = inputs.map((v) => `[${v.shape.join(", ")}]`).join(", ");
  throw new RangeError(`${op.kind}(${shapes}): ${why}`);
};

/** Size of a dimension that must be a number. @throws RangeError for a named dimension */
export function known(dim: Dim | undefined): number {
  if (typeof dim !== "number")
    throw new RangeError(`dimension ${String(dim)} is only known at run time; expected a number`);
  return dim;
}

/** Shape of two inputs broadcast as in NumPy. */
function broadcast(op: Op, inputs: readonly Value[]): Dim[] {
  const [a, b] = inputs.map((v) => v.shape);
  return a && b ? broadcastShapes(op, inputs, a, b) : fail(op, inputs, "expected two inputs");
}

function broadcastShapes(op: Op, inputs: readonly Value[], a: readonly Dim[], b: readonly Dim[]): Dim[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (x === y || y === 1) return x;
    return x === 1 ? y : fail(op, inputs, "the shapes do not broadcast");
  });
}

/** Number of pooling windows along an axis of size n. With `ceil`, a window that starts in the trailing padding is dropped, as in PyTorch. */
function windows(n: number, op: { kernel: number; stride: number; pad: number }, ceil: boolean): number {
  const strides = (n + 2 * op.pad - op.kernel) / op.stride;
  const count = (ceil ? Math.ceil(strides) : Math.floor(strides)) + 1;
  return ceil && (count - 1) * op.stride >= n + op.pad ? count - 1 : count;
}

function pooled(op: Op<"maxPool" | "averagePool">, inputs: readonly Value[]): Dim[] {
  const [b = 1, c = 1, h, w] = inputs[0]?.shape ?? [];
  const ceil = op.kind === "maxPool" && op.ceil;
  const size = [h, w].map((n) => windows(known(n), op, ceil));
  return size.some((n) => n < 1) ? fail(op, inputs, "the window is larger than the image") : [b, c, ...size];
}

const same = (_: Op, inputs: readonly Value[]): readonly Dim[] => inputs[0]?.shape ?? [];

/** Rows and columns at the end of a transposed convolution's output that no window of the convolution reaches. */
export function outputPadding(op: Op<"convTranspose">, [x, w]: readonly Value[]): readonly [number, number] {
  const [top, left, bottom, right] = op.pads;
  const missing = (size: number, axis: number, pad: number) =>
    size + pad - (known(x?.shape[axis]) - 1) * op.stride - known(w?.shape[axis]);
  return [missing(op.height, 2, top + bottom), missing(op.width, 3, left + right)];
}

type ShapeRule<K extends OpKind> = (op: Op<K>, inputs: readonly Value[]) => readonly Dim[];

const rules: { readonly [K in OpKind]: ShapeRule<K> } = {
  conv(op, inputs) {
    const [x, w, bias] = inputs.map((v) => v.shape);
    if (x?.length !== 4 || w?.length !== 4) return fail(op, inputs, "x and w must have four dimensions");
    if (known(x[1]) !== known(w[1]) * op.groups) return fail(op, inputs, "channels of x and w differ");
    if (bias && bias[0] !== w[0]) return fail(op, inputs, "bias must have one value for each output channel");
    const [top, left, bottom, right] = op.pads;
    const size = (n: Dim | undefined, k: Dim | undefined, pad: number) =>
      Math.floor((known(n) + pad - known(k)) / op.stride) + 1;
    return [x[0] ?? 1, known(w[0]), size(x[2], w[2], top + bottom), size(x[3], w[3], left + right)];
  },
  linear(op, inputs) {
    const [x, w] = inputs.map((v) => v.shape);
    if (!x || w?.length !== 2) return fail(op, inputs, "w must have two dimensions");
    if (x.at(-1) !== w[1]) return fail(op, inputs, "the last dimension of x must be the second of w");
    return [...x.slice(0, -1), known(w[0])];
  },
  product(op, inputs) {
    const [a, b] = inputs.map((v) => v.shape);
    if (a?.length !== 2 || b?.length !== 2 || a[1] !== b[1])
      return fail(op, inputs, "expected two matrices with the same number of columns");
    return [a[0] ?? 1, b[0] ?? 1];
  },
  lowRank(op, inputs) {
    const [x, down, up, scaleIndex, scales] = inputs.map((v) => v.shape);
    if (!x || x.length > 3 || scales?.length !== 2) return fail(op, inputs, "x must have two or three dimensions");
    if (x.at(-1) !== down?.[0]) return fail(op, inputs, "the last dimension of x must be the first of down");
    if (down?.[1] !== up?.[0] || up?.[0] !== scaleIndex?.[0])
      return fail(op, inputs, "down, up and the scale indices differ in rank");
    return [...x.slice(0, -1), up?.[1] ?? 1];
  },
  lowRankConv(op, inputs) {
    const [x, down, up, scaleIndex] = inputs.map((v) => v.shape);
    if (x?.length !== 4 || down?.length !== 4 || up?.length !== 4)
      return fail(op, inputs, "x, down and up must have four dimensions");
    if (x[1] !== down[1]) return fail(op, inputs, "channels of x and down differ");
    if (down[0] !== up[1] || up[1] !== scaleIndex?.[0])
      return fail(op, inputs, "down, up and the scale indices differ in rank");
    const [top, left, bottom, right] = op.pads;
    const size = (n: Dim | undefined, k: Dim | undefined, pad: number) =>
      Math.floor((known(n) + pad - known(k)) / op.stride) + 1;
    return [x[0] ?? 1, known(up[0]), size(x[2], down[2], top + bottom), size(x[3], down[3], left + right)];
  },
  groupNorm(op, inputs) {
    const x = inputs[0]?.shape ?? [];
    if (known(x[1]) % op.groups !== 0) return fail(op, inputs, `${op.groups} groups do not divide the channels`);
    return x;
  },
  layerNorm: same,
  rmsNorm(op, inputs) {
    const [x = [], weight] = inputs.map((v) => v.shape);
    return weight?.length === 1 && weight[0] === x.at(-1) ? x : fail(op, inputs, "weight must have the features of x");
  },
  rope(op, inputs) {
    const [x = [], cos = [], sin = []] = inputs.map((v) => v.shape);
    if (x.length !== 3 || cos.length !== 2 || cos.join() !== sin.join() || cos[0] !== x[1])
      return fail(op, inputs, "cos and sin must have a row for each position of x [B, L, D]");
    if (known(x[2]) % (2 * known(cos[1])) !== 0) return fail(op, inputs, "the heads do not divide the features of x");
    return x;
  },
  attention(op, inputs) {
    const [q, k, v, bias] = inputs.map((i) => i.shape);
    if (q?.length !== 3 || k?.length !== 3 || v?.length !== 3)
      return fail(op, inputs, "expected three inputs of three dimensions");
    if (q[2] !== k[2] || k[1] !== v[1]) return fail(op, inputs, "q and k must agree in D, k and v in length");
    const fits = ([batch, heads, ...rest]: readonly Dim[]) =>
      (batch === 1 || batch === q[0]) && (heads === 1 || heads === op.heads) && rest.join() === [q[1], k[1]].join();
    if (bias && !fits(bias)) return fail(op, inputs, "expected a bias [1 or B, 1 or heads, L, M]");
    if (known(q[2]) % op.heads !== 0) return fail(op, inputs, `${op.heads} heads do not divide D`);
    return [q[0] ?? 1, q[1] ?? 1, v[2] ?? 1];
  },
  add: broadcast,
  sub: broadcast,
  mul: broadcast,
  div: broadcast,
  silu: same,
  gelu: same,
  geluTanh: same,
  quickGelu: same,
  relu: same,
  tanh: same,
  sin: same,
  cos: same,
  sqrt: same,
  reshape(op, inputs) {
    const size = (shape: readonly Dim[]) => shape.reduce<number>((n, d) => (typeof d === "number" ? n * d : n), 1);
    const names = (shape: readonly Dim[]) => shape.filter((d) => typeof d === "string").join();
    const x = inputs[0]?.shape ?? [];
    if (size(x) !== size(op.shape) || names(x) !== names(op.shape)) {
      return fail(op, inputs, `cannot be reshaped to [${op.shape.join(", ")}]`);
    }
    return op.shape;
  },
  transpose: (op, inputs) => op.order.map((i) => inputs[0]?.shape[i] ?? 1),
  concat(op, inputs) {
    const first = inputs[0]?.shape ?? [];
    const rest = (shape: readonly Dim[]) => shape.filter((_, i) => i !== op.axis).join();
    if (inputs.some((v) => rest(v.shape) !== rest(first))) return fail(op, inputs, "the other dimensions differ");
    const length = inputs.reduce((n, v) => n + known(v.shape[op.axis]), 0);
    return first.map((d, i) => (i === op.axis ? length : d));
  },
  slice(op, inputs) {
    const x = inputs[0]?.shape ?? [];
    if (op.from < 0 || op.to > known(x[op.axis]) || op.from >= op.to)
      return fail(op, inputs, `rows ${op.from} to ${op.to} of axis ${op.axis} are out of range`);
    return x.map((d, i) => (i === op.axis ? op.to - op.from : d));
  },
  mean: (op, inputs) => (inputs[0]?.shape ?? []).filter((_, i) => !op.axes.includes(i)),
  resizeNearest: (op, inputs) => [...(inputs[0]?.shape.slice(0, 2) ?? []), op.height, op.width],
  maxPool: pooled,
  averagePool: pooled,
  embedding: (_, inputs) => [...(inputs[1]?.shape ?? []), known(inputs[0]?.shape[1])],
  pickRow: (_, inputs) => [inputs[0]?.shape[0] ?? 1, inputs[0]?.shape[2] ?? 1],
  expandBatch: (_, inputs) => [inputs[1]?.shape[0] ?? 1, ...(inputs[0]?.shape.slice(1) ?? [])],
  matmul(op, inputs) {
    const [a = [], b = []] = inputs.map((v) => v.shape);
    if (a.length < 2 || b.length < 2 || a.at(-1) !== b.at(-2)) return fail(op, inputs, "the inner dimensions differ");
    return [...broadcastShapes(op, inputs, a.slice(0, -2), b.slice(0, -2)), a.at(-2) ?? 1, b.at(-1) ?? 1];
  },
  softmax: same,
  sigmoid: same,
  exp: same,
  erf: same,
  greater: broadcast,
  sum: (op, inputs) => (inputs[0]?.shape ?? []).filter((_, i) => !op.axes.includes(i)),
  broadcast: (op, inputs) =>
    broadcastShapes(op, inputs, inputs[0]?.shape ?? [], op.shape).join() === op.shape.join()
      ? op.shape
      : fail(op, inputs, `does not broadcast to [${op.shape.join(", ")}]`),
  pad: (op, inputs) => (inputs[0]?.shape ?? []).map((d, i) => (i === op.axis ? known(d) + op.before + op.after : d)),
  convTranspose(op, inputs) {
    const [x, w] = inputs.map((v) => v.shape);
    if (x?.length !== 4 || w?.length !== 4) return fail(op, inputs, "x and w must have four dimensions");
    if (known(x[1]) !== known(w[0])) return fail(op, inputs, "channels of x and w differ");
    if (outputPadding(op, inputs).some((n) => n < 0 || n >= op.stride))
      return fail(op, inputs, `no convolution of ${op.height}×${op.width} gives the size of x`);
    return [x[0] ?? 1, known(w[1]) * op.groups, op.height, op.width];
  },
  scatterRows: (op, inputs) => [op.rows, inputs[0]?.shape.at(-1) ?? 1],
  placeRow: (op, inputs) => [inputs[0]?.shape[0] ?? 1, op.length, inputs[0]?.shape[1] ?? 1],
};

/** Output shape of `op` for `inputs`. @throws RangeError, with all shapes, when they do not match the operation */
export function shapeOf<K extends OpKind>(op: Op<K>, inputs: readonly Value[]): readonly Dim[] {
  const kind: K = op.kind;
  return rules[kind](op, inputs);
}
