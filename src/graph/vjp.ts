/** Vector-Jacobian products of the primitive operations: from the cotangent of an output to the cotangents of its inputs. */
import type { Builder } from "./builder.js";
import type { PrimitiveKind } from "./decompose.js";
import { type Dim, known, type Op, type Value } from "./op.js";
import { averagePoolInput, convWeight, maxPoolInput, resizeInput } from "./vjp-windows.js";

/** Inputs, output y and the cotangent of y, ∂loss/∂y, of one operation. Of fewer than three inputs, the last is repeated. */
export interface Applied {
  /** Number of inputs that the operation has. */
  readonly arity: number;
  readonly inputs: readonly [Value, Value, Value, ...Value[]];
  readonly y: Value;
  readonly ct: Value;
}

/** Cotangents of the inputs, in their order; undefined for an input without gradient (indices, comparisons, a missing bias). */
export type Vjp<K extends PrimitiveKind> = (g: Builder, op: Op<K>, n: Applied) => readonly (Value | undefined)[];

const scalar = (g: Builder, value: number): Value => g.constant([], Float32Array.of(value));
const dims = (v: Value): number[] => v.shape.map(known);
const count = (shape: readonly Dim[]): number => shape.reduce<number>((n, d) => n * known(d), 1);

/** Sums a cotangent over the axes along which an operand of `shape` was repeated. */
export function unbroadcast(g: Builder, ct: Value, shape: readonly Dim[]): Value {
  const extra = ct.shape.length - shape.length;
  const axes = ct.shape.flatMap((d, i) => (i < extra || (shape[i - extra] === 1 && d !== 1) ? [i] : []));
  const summed = axes.length === 0 ? ct : g.sum(ct, axes);
  return summed.shape.join() === shape.join() ? summed : g.reshape(summed, shape);
}

/** x [..., D] as a matrix of its rows. */
const rows = (g: Builder, x: Value): Value =>
  x.shape.length === 2 ? x : g.reshape(x, [count(x.shape.slice(0, -1)), x.shape.at(-1) ?? 1]);

const swapped = (g: Builder, x: Value): Value => {
  const axes = x.shape.map((_, i) => i);
  return g.transpose(x, [...axes.slice(0, -2), axes.length - 1, axes.length - 2]);
};

/** Cotangents of a binary operation, each summed to the shape of its operand. */
const binary =
  (rule: (g: Builder, n: Applied) => readonly [Value, Value]): Vjp<PrimitiveKind> =>
  (g, _, n) =>
    rule(g, n).map((v, i) => unbroadcast(g, v, n.inputs[i]?.shape ?? []));

/** Cotangent of an element-wise function: ct · f′. */
const elementwise =
  (derivative: (g: Builder, n: Applied) => Value): Vjp<PrimitiveKind> =>
  (g, _, n) => [g.mul(n.ct, derivative(g, n))];

/** Repeats the cotangent of a reduction along the axes that it removed. */
function repeated(g: Builder, ct: Value, x: Value, axes: readonly number[]): Value {
  const kept = x.shape.map((d, i) => (axes.includes(i) ? 1 : d));
  return g.broadcast(g.reshape(ct, kept), dims(x));
}

/** One rule for each primitive operation. A missing rule does not compile. */
export const VJP: { readonly [K in PrimitiveKind]: Vjp<K> } = {
  conv: (g, { stride, pads, groups }, { inputs: [x, w], ct }) => [
    g.convTranspose(ct, w, { stride, pads, groups, height: known(x.shape[2]), width: known(x.shape[3]) }),
    convWeight(g, { stride, pads, groups }, ct, x, w),
    g.sum(ct, [0, 2, 3]),
  ],
  linear: (g, _, { inputs: [x, w], ct }) => [
    g.matmul(ct, w),
    g.matmul(swapped(g, rows(g, ct)), rows(g, x)),
    g.sum(rows(g, ct), [0]),
  ],
  matmul(g, _, { inputs: [a, b], ct }) {
    const right = unbroadcast(g, g.matmul(ct, swapped(g, b)), a.shape);
    // A matrix that every sample shares: one product over all rows, not one for each sample and a sum.
    if (b.shape.length === 2) return [right, g.matmul(swapped(g, rows(g, a)), rows(g, ct))];
    return [right, unbroadcast(g, g.matmul(swapped(g, a), ct), b.shape)];
  },
  add: binary((_, { ct }) => [ct, ct]),
  sub: binary((g, { ct }) => [ct, g.mul(ct, scalar(g, -1))]),
  mul: binary((g, { inputs: [a, b], ct }) => [g.mul(ct, b), g.mul(ct, a)]),
  div: binary((g, { inputs: [, b], y, ct }) => {
    const first = g.div(ct, b);
    return [first, g.mul(g.mul(first, y), scalar(g, -1))];
  }),
  relu: elementwise((g, { inputs: [x] }) => g.greater(x, scalar(g, 0))),
  tanh: elementwise((g, { y }) => g.sub(scalar(g, 1), g.mul(y, y))),
  sin: elementwise((g, { inputs: [x] }) => g.cos(x)),
  cos: elementwise((g, { inputs: [x] }) => g.mul(g.sin(x), scalar(g, -1))),
  sqrt: elementwise((g, { y }) => g.div(scalar(g, 0.5), y)),
  sigmoid: elementwise((g, { y }) => g.mul(y, g.sub(scalar(g, 1), y))),
  exp: elementwise((_, { y }) => y),
  erf: elementwise((g, { inputs: [x] }) =>
    g.mul(g.exp(g.mul(g.mul(x, x), scalar(g, -1))), scalar(g, 2 / Math.sqrt(Math.PI))),
  ),
  softmax(g, _, { y, ct }) {
    const product = g.mul(ct, y);
    const total = g.reshape(g.sum(product, [y.shape.length - 1]), [...y.shape.slice(0, -1), 1]);
    return [g.sub(product, g.mul(y, total))];
  },
  greater: () => [undefined, undefined],
  reshape: (g, _, { inputs: [x], ct }) => [g.reshape(ct, x.shape)],
  transpose: (g, { order }, { ct }) => [
    g.transpose(
      ct,
      order.map((_, i) => order.indexOf(i)),
    ),
  ],
  concat(g, { axis }, { inputs, arity, ct }) {
    let from = 0;
    return inputs.slice(0, arity).map((v) => {
      const to = from + known(v.shape[axis]);
      const part = g.slice(ct, axis, from, to);
      from = to;
      return part;
    });
  },
  slice: (g, { axis, from, to }, { inputs: [x], ct }) => [
    g.pad(ct, axis, { before: from, after: known(x.shape[axis]) - to }),
  ],
  mean: (g, { axes }, { inputs: [x], ct }) => {
    const each = 1 / axes.reduce((n, axis) => n * known(x.shape[axis]), 1);
    return [repeated(g, g.mul(ct, scalar(g, each)), x, axes)];
  },
  sum: (g, { axes }, { inputs: [x], ct }) => [repeated(g, ct, x, axes)],
  broadcast: (g, _, { inputs: [x], ct }) => [unbroadcast(g, ct, x.shape)],
  pad: (g, { axis, before }, { inputs: [x], ct }) => [g.slice(ct, axis, before, before + known(x.shape[axis]))],
  convTranspose: (g, { stride, pads, groups }, { inputs: [x, w], ct }) => {
    const forward = { stride, pads, groups };
    return [g.conv(ct, w, undefined, forward), convWeight(g, forward, x, ct, w)];
  },
  resizeNearest: (g, op, { inputs: [x], ct }) => [resizeInput(g, op, ct, x)],
  maxPool: (g, op, { inputs: [x], y, ct }) => [maxPoolInput(g, op, ct, x, y)],
  averagePool: (g, op, { inputs: [x], y, ct }) => [averagePoolInput(g, op, ct, x, y)],
  embedding: (g, _, { inputs: [table, ids], ct }) => [g.scatterRows(ct, ids, known(table.shape[0])), undefined],
  scatterRows: (g, _, { inputs: [, ids], ct }) => [g.embedding(ct, ids), undefined],
  pickRow: (g, _, { inputs: [x, index], ct }) => [g.placeRow(ct, index, known(x.shape[1])), undefined],
  placeRow: (g, _, { inputs: [, index], ct }) => [g.pickRow(ct, index), undefined],
  expandBatch: (g, _, { inputs: [x], ct }) => [unbroadcast(g, ct, x.shape), undefined],
};
