/** The closed set of operations a model may use: what each takes, what shape it gives. Knows nothing of ONNX. */
import type { Weight } from "../tensor/index.js";

/** A dimension: a number, or the name of one that is only known when the graph runs (the batch). */
export type Dim = number | string;

export type ValueType = "float32" | "int64" | "float64";

/** An edge of the graph. */
export interface Value {
  readonly id: number;
  readonly dtype: ValueType;
  readonly shape: readonly Dim[];
}

/** Attributes of every operation; inputs are positional and named in the comment. */
export interface Ops {
  /** x [B, C, H, W], w [C', C/groups, k, k], bias? [C'] → [B, C', H', W']; pads are top, left, bottom, right. */
  conv: { stride: number; pads: readonly [number, number, number, number]; groups: number };
  /** x […, I], w [O, I], bias? [O] → […, O]. */
  linear: Record<never, never>;
  /** a [N, D], b [M, D] → a bᵀ [N, M]; also in float64. */
  product: Record<never, never>;
  /** x [B(, L), I], down [I, R], up [R, O], scaleIndex [R] int64, scales [B, S] → [B(, L), O]: (x down ∘ scales[:, scaleIndex]) up, of any rank R. */
  lowRank: Record<never, never>;
  /** The same for a convolution: x [B, C, H, W], down [R, C, k, k], up [C', R, 1, 1], scaleIndex, scales → [B, C', H', W']. */
  lowRankConv: { stride: number; pads: readonly [number, number, number, number] };
  /** x [B, C, …], weight [C], bias [C] → same; mean and variance over each of `groups` groups of channels. */
  groupNorm: { groups: number; epsilon: number };
  /** x […, D], weight [D], bias [D] → same. */
  layerNorm: { epsilon: number };
  /** q [B, L, D], k [B, M, D], v [B, M, D] → [B, L, D]: softmax(q kᵀ / √(D/heads)) v for each head; causal hides M > L. */
  attention: { heads: number; causal: boolean };
  /** Two inputs that broadcast as in NumPy. */
  add: Record<never, never>;
  sub: Record<never, never>;
  mul: Record<never, never>;
  div: Record<never, never>;
  silu: Record<never, never>;
  /** x Φ(x), with erf. */
  gelu: Record<never, never>;
  /** x σ(1.702 x). */
  quickGelu: Record<never, never>;
  relu: Record<never, never>;
  tanh: Record<never, never>;
  sin: Record<never, never>;
  cos: Record<never, never>;
  sqrt: Record<never, never>;
  /** At most one named dimension in `shape`. */
  reshape: { shape: readonly Dim[] };
  transpose: { order: readonly number[] };
  concat: { axis: number };
  slice: { axis: number; from: number; to: number };
  /** Mean over `axes`, which disappear. */
  mean: { axes: readonly number[] };
  /** x [B, C, H, W] → [B, C, height, width]; pixel floor(i · H / height). */
  resizeNearest: { height: number; width: number };
  /** x [B, C, H, W] → [B, C, H', W']; largest of each k × k window; `ceil` keeps a last window that hangs over the edge. */
  maxPool: { kernel: number; stride: number; pad: number; ceil: boolean };
  /** x [B, C, H, W] → [B, C, H', W']; mean of each k × k window, of what lies inside the picture only unless `countPad`. */
  averagePool: { kernel: number; stride: number; pad: number; countPad: boolean };
  /** table [N, D], ids [...] int64 → [..., D]. */
  embedding: Record<never, never>;
  /** x [B, L, D], index [B] int64 → [B, D]: one row of each sample. */
  pickRow: Record<never, never>;
  /** x of a batch of one, repeated to batch `dim` (taken from the second input's first dimension). */
  expandBatch: Record<never, never>;
}

export type OpKind = keyof Ops;
/** The operations of some kinds; of all kinds when none is named. */
export type Op<K extends OpKind = OpKind> = { [P in K]: { readonly kind: P } & Readonly<Ops[P]> }[K];

export interface Node {
  readonly op: Op;
  readonly inputs: readonly Value[];
  readonly output: Value;
}

/** A finished graph. Nothing in it changes any more. */
export interface Graph {
  readonly inputs: ReadonlyMap<string, Value>;
  readonly outputs: ReadonlyMap<string, Value>;
  readonly nodes: readonly Node[];
  /** Weights by the value they feed; their bytes stay where they lie. */
  readonly weights: ReadonlyMap<number, Weight>;
  /** Small tables computed while drawing. */
  readonly constants: ReadonlyMap<number, { readonly shape: readonly number[]; readonly data: Float32Array }>;
}

const fail = (op: Op, inputs: readonly Value[], why: string): never => {
  const shapes = inputs.map((v) => `[${v.shape.join(", ")}]`).join(", ");
  throw new RangeError(`${op.kind}(${shapes}): ${why}`);
};

/** The number in a dimension that must be known while drawing. */
export function known(dim: Dim | undefined): number {
  if (typeof dim !== "number") throw new RangeError(`dimension ${String(dim)} is not known while drawing`);
  return dim;
}

function broadcast(op: Op, inputs: readonly Value[]): Dim[] {
  const [a, b] = inputs.map((v) => v.shape);
  if (!a || !b) return fail(op, inputs, "two inputs expected");
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (x === y || y === 1) return x;
    return x === 1 ? y : fail(op, inputs, "the shapes do not broadcast");
  });
}

/** Windows of a pooling along one axis; with `ceil`, one that would begin in the padding behind is left out as in PyTorch. */
function windows(n: number, op: { kernel: number; stride: number; pad: number }, ceil: boolean): number {
  const room = n + 2 * op.pad - op.kernel;
  const count = (ceil ? Math.ceil(room / op.stride) : Math.floor(room / op.stride)) + 1;
  return ceil && (count - 1) * op.stride >= n + op.pad ? count - 1 : count;
}

function pooled(op: Op<"maxPool" | "averagePool">, inputs: readonly Value[]): Dim[] {
  const [b = 1, c = 1, h, w] = inputs[0]?.shape ?? [];
  const ceil = op.kind === "maxPool" && op.ceil;
  const size = [h, w].map((n) => windows(known(n), op, ceil));
  return size.some((n) => n < 1) ? fail(op, inputs, "the window is larger than the picture") : [b, c, ...size];
}

const same = (_: Op, inputs: readonly Value[]): readonly Dim[] => inputs[0]?.shape ?? [];

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
      return fail(op, inputs, "two matrices of as many columns expected");
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
    if (x?.length !== 4 || down?.length !== 4 || up?.length !== 4) return fail(op, inputs, "four dimensions expected");
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
  attention(op, inputs) {
    const [q, k, v] = inputs.map((i) => i.shape);
    if (q?.length !== 3 || k?.length !== 3 || v?.length !== 3) return fail(op, inputs, "three 3-D inputs expected");
    if (q[2] !== k[2] || k[1] !== v[1]) return fail(op, inputs, "q and k must agree in D, k and v in length");
    if (known(q[2]) % op.heads !== 0) return fail(op, inputs, `${op.heads} heads do not divide D`);
    return [q[0] ?? 1, q[1] ?? 1, v[2] ?? 1];
  },
  add: broadcast,
  sub: broadcast,
  mul: broadcast,
  div: broadcast,
  silu: same,
  gelu: same,
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
      return fail(op, inputs, `cannot become [${op.shape.join(", ")}]`);
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
    if (op.from < 0 || op.to > known(x[op.axis]) || op.from >= op.to) return fail(op, inputs, "slice out of range");
    return x.map((d, i) => (i === op.axis ? op.to - op.from : d));
  },
  mean: (op, inputs) => (inputs[0]?.shape ?? []).filter((_, i) => !op.axes.includes(i)),
  resizeNearest: (op, inputs) => [...(inputs[0]?.shape.slice(0, 2) ?? []), op.height, op.width],
  maxPool: pooled,
  averagePool: pooled,
  embedding: (_, inputs) => [...(inputs[1]?.shape ?? []), known(inputs[0]?.shape[1])],
  pickRow: (_, inputs) => [inputs[0]?.shape[0] ?? 1, inputs[0]?.shape[2] ?? 1],
  expandBatch: (_, inputs) => [inputs[1]?.shape[0] ?? 1, ...(inputs[0]?.shape.slice(1) ?? [])],
};

/** Shape that `op` gives for `inputs`. @throws RangeError when they do not fit, with all shapes */
export function shapeOf<K extends OpKind>(op: Op<K>, inputs: readonly Value[]): readonly Dim[] {
  const kind: K = op.kind;
  return rules[kind](op, inputs);
}
