/** Every n-th element of an axis, and the transpose: elements spread among zeros. The parts of convolution and pooling gradients. */
import type { Builder } from "./builder.js";
import { known, type Value } from "./op.js";

const withAxis = (x: Value, axis: number, ...sizes: number[]): number[] =>
  x.shape.map(known).flatMap((d, i) => (i === axis ? sizes : [d]));

/** Elements `from`, from + step, … of x along an axis, `count` of them. */
export function strided(g: Builder, x: Value, axis: number, at: { from: number; step: number; count: number }): Value {
  const { from, step, count } = at;
  if (step === 1) return g.slice(x, axis, from, from + count);
  const missing = from + step * count - known(x.shape[axis]);
  const long = missing > 0 ? g.pad(x, axis, { before: 0, after: missing }) : x;
  const part = g.slice(long, axis, from, from + step * count);
  const first = g.slice(g.reshape(part, withAxis(x, axis, count, step)), axis + 1, 0, 1);
  return g.reshape(first, withAxis(x, axis, count));
}

/** The transpose of `strided`: x has the elements; the result has `size` along the axis, zero elsewhere. */
export function spread(g: Builder, x: Value, axis: number, at: { from: number; step: number; size: number }): Value {
  const { from, step, size } = at;
  const count = known(x.shape[axis]);
  const column = step === 1 ? x : g.reshape(x, withAxis(x, axis, count, 1));
  const dilated =
    step === 1
      ? x
      : g.reshape(g.pad(column, axis + 1, { before: 0, after: step - 1 }), withAxis(x, axis, count * step));
  const length = Math.min(count * step, size - from);
  const cut = length < count * step ? g.slice(dilated, axis, 0, length) : dilated;
  const after = size - from - length;
  return from === 0 && after === 0 ? cut : g.pad(cut, axis, { before: from, after });
}
