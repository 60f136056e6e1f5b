/** Replaces composite operations (attention, normalisation, low-rank updates, activations) by the operations that have gradients. */
import type { Builder } from "./builder.js";
import { type Graph, known, type Op, type OpKind, type Value } from "./op.js";
import { rewritten } from "./rewrite.js";

/** Operations that `decompose` replaces. */
export type CompositeKind = (typeof COMPOSITE)[number];
/** Operations that remain after `decompose`. */
export type PrimitiveKind = Exclude<OpKind, CompositeKind>;

const COMPOSITE = [
  "attention",
  "groupNorm",
  "layerNorm",
  "rmsNorm",
  "rope",
  "lowRank",
  "lowRankConv",
  "silu",
  "gelu",
  "geluTanh",
  "quickGelu",
  "product",
] as const;

/** Inputs of an operation; those that it lacks repeat the first, so that a rule reads as many as its operation has. */
type Inputs = readonly [Value, Value, Value, Value, Value];
/** `count`: number of inputs that the operation has, for one with inputs that may be left out. */
type Rule<K extends OpKind> = (g: Builder, op: Op<K>, inputs: Inputs, count: number) => Value;

const scalar = (g: Builder, value: number): Value => g.constant([], Float32Array.of(value));
const transposed = (g: Builder, x: Value): Value => {
  const axes = x.shape.map((_, i) => i);
  return g.transpose(x, [...axes.slice(0, -2), axes.length - 1, axes.length - 2]);
};

/** (x − μ) / √(σ² + epsilon) over the last axis; x […, N]. */
function normalised(g: Builder, x: Value, epsilon: number): Value {
  const last = x.shape.length - 1;
  const column = [...x.shape.slice(0, -1), 1];
  const centred = g.sub(x, g.reshape(g.mean(x, [last]), column));
  const variance = g.reshape(g.mean(g.mul(centred, centred), [last]), column);
  return g.div(centred, g.sqrt(g.add(variance, scalar(g, epsilon))));
}

/** −1e30 where a key follows its query. */
const causalMask = (g: Builder, n: number): Value =>
  g.constant(
    [n, n],
    Float32Array.from({ length: n * n }, (_, i) => (i % n > Math.floor(i / n) ? -1e30 : 0)),
  );

/** Scales of each sample and rank column: scales [B, S], scaleIndex [R] → [B, R]. */
const scaleOf = (g: Builder, scaleIndex: Value, scales: Value): Value =>
  g.transpose(g.embedding(g.transpose(scales, [1, 0]), scaleIndex), [1, 0]);

const rules: { readonly [K in CompositeKind]: Rule<K> } = {
  attention(g, { heads, causal, scale }, [q, k, v, bias], count) {
    const [batch = 1, length = 1, features] = q.shape;
    const width = known(features) / heads;
    const split = (x: Value) => g.transpose(g.reshape(x, [batch, x.shape[1] ?? 1, heads, width]), [0, 2, 1, 3]);
    const scores = g.mul(g.matmul(split(q), transposed(g, split(k))), scalar(g, scale ?? 1 / Math.sqrt(width)));
    const moved = count > 3 ? g.add(scores, bias) : scores;
    const masked = causal ? g.add(moved, causalMask(g, known(length))) : moved;
    const mixed = g.matmul(g.softmax(masked), split(v));
    return g.reshape(g.transpose(mixed, [0, 2, 1, 3]), q.shape);
  },
  groupNorm(g, { groups, epsilon }, [x, weight, bias]) {
    const [batch = 1, channels = 1, ...rest] = x.shape;
    const each = (known(channels) / groups) * rest.reduce<number>((n, d) => n * known(d), 1);
    const normal = g.reshape(normalised(g, g.reshape(x, [batch, groups, each]), epsilon), x.shape);
    const perChannel = (v: Value) => g.reshape(v, [channels, ...rest.map(() => 1)]);
    return g.add(g.mul(normal, perChannel(weight)), perChannel(bias));
  },
  layerNorm: (g, { epsilon }, [x, weight, bias]) => g.add(g.mul(normalised(g, x, epsilon), weight), bias),
  rmsNorm(g, { epsilon }, [x, weight]) {
    const last = x.shape.length - 1;
    const square = g.reshape(g.mean(g.mul(x, x), [last]), [...x.shape.slice(0, -1), 1]);
    return g.mul(g.div(x, g.sqrt(g.add(square, scalar(g, epsilon)))), weight);
  },
  rope(g, { interleaved }, [x, cos, sin]) {
    const [batch = 1, length = 1, features] = x.shape;
    const half = known(cos.shape[1]);
    const heads = known(features) / (2 * half);
    const axis = interleaved ? 4 : 3;
    const pairs = g.reshape(x, [batch, length, heads, ...(interleaved ? [half, 2] : [2, half])]);
    const [a, b] = [g.slice(pairs, axis, 0, 1), g.slice(pairs, axis, 1, 2)];
    const table = (v: Value) => g.reshape(v, [1, length, 1, ...(interleaved ? [half, 1] : [1, half])]);
    const [c, s] = [table(cos), table(sin)];
    const turned = [g.sub(g.mul(a, c), g.mul(b, s)), g.add(g.mul(b, c), g.mul(a, s))];
    return g.reshape(g.concat(turned, axis), x.shape);
  },
  lowRank(g, _, [x, down, up, scaleIndex, scales]) {
    const scale = scaleOf(g, scaleIndex, scales);
    const [batch = 1, rank = 1] = scale.shape;
    const each = x.shape.length === 3 ? g.reshape(scale, [batch, 1, rank]) : scale;
    return g.matmul(g.mul(g.matmul(x, down), each), up);
  },
  lowRankConv(g, { stride, pads }, [x, down, up, scaleIndex, scales]) {
    const scale = scaleOf(g, scaleIndex, scales);
    const [batch = 1, rank = 1] = scale.shape;
    const hidden = g.mul(g.conv(x, down, undefined, { stride, pads }), g.reshape(scale, [batch, rank, 1, 1]));
    return g.conv(hidden, up, undefined);
  },
  silu: (g, _, [x]) => g.mul(x, g.sigmoid(x)),
  gelu: (g, _, [x]) => g.mul(x, g.mul(g.add(g.erf(g.mul(x, scalar(g, Math.SQRT1_2))), scalar(g, 1)), scalar(g, 0.5))),
  geluTanh(g, _, [x]) {
    const cubic = g.mul(g.add(g.mul(g.mul(x, x), scalar(g, 0.044715)), scalar(g, 1)), x);
    const curve = g.tanh(g.mul(cubic, scalar(g, Math.sqrt(2 / Math.PI))));
    return g.mul(x, g.mul(g.add(curve, scalar(g, 1)), scalar(g, 0.5)));
  },
  quickGelu: (g, _, [x]) => g.mul(x, g.sigmoid(g.mul(x, scalar(g, 1.702)))),
  product: (g, _, [a, b]) => g.matmul(a, g.transpose(b, [1, 0])),
};

/** Whether `decompose` replaces the operation. */
export const isComposite = (op: Op): op is Op<CompositeKind> => COMPOSITE.some((kind) => kind === op.kind);

function replaced<K extends CompositeKind>(g: Builder, op: Op<K>, inputs: readonly Value[]): Value {
  const kind: K = op.kind;
  const [a, b = a, c = a, d = a, e = a] = inputs;
  if (!a || !b || !c || !d || !e) throw new RangeError(`${kind} has no inputs`);
  return rules[kind](g, op, [a, b, c, d, e], inputs.length);
}

/**
 * The same function in primitive operations. Values are those of the original up to rounding; fused kernels are no longer used, so that
 * intermediate values can be read by the backward pass.
 * @param kinds what to replace; default: every composite operation
 * @throws RangeError for a graph whose normalised or attended axes are named dimensions; see `bindDimensions`
 */
export const decompose = (graph: Graph, kinds: readonly CompositeKind[] = COMPOSITE): Graph =>
  rewritten(graph, {
    node: (g, op, inputs) =>
      isComposite(op) && kinds.includes(op.kind) ? replaced(g, op, inputs) : g.apply(op, inputs),
  });
