/** Vector-Jacobian products of a convolution's kernel, pooling and resizing. */
import type { Builder } from "./builder.js";
import { known, type Op, type Value } from "./op.js";
import { spread, strided } from "./windows.js";

const dims = (v: Value): number[] => v.shape.map(known);

/**
 * Cotangent of a convolution's w: one matrix product for each position of the kernel, of the cotangent and of the elements of x that
 * this position meets. ct [B, O, H′, W′], x [B, C, H, W] → [O, C / groups, kh, kw].
 */
export function convWeight(
  g: Builder,
  { stride, pads, groups }: Omit<Op<"conv">, "kind">,
  ct: Value,
  x: Value,
  w: Value,
): Value {
  const [batch = 1, channels = 1, height = 1, width = 1] = dims(x);
  const [out = 1, each = 1, kh = 1, kw = 1] = dims(w);
  const [, , rows = 1, columns = 1] = dims(ct);
  const [top, left, bottom, right] = pads;
  const count = batch * rows * columns;
  const cotangents = g.reshape(
    g.transpose(g.reshape(ct, [batch, groups, out / groups, rows * columns]), [1, 2, 0, 3]),
    [groups, out / groups, count],
  );
  const last = g.transpose(g.reshape(x, [batch, groups, each, height, width]), [1, 0, 3, 4, 2]);
  const padded = padIf(g, padIf(g, last, 2, top, bottom), 3, left, right);
  const part = (i: number, j: number): Value => {
    const down = strided(g, padded, 2, { from: i, step: stride, count: rows });
    const met = strided(g, down, 3, { from: j, step: stride, count: columns });
    const product = g.matmul(cotangents, g.reshape(met, [groups, count, channels / groups]));
    return g.reshape(product, [out, each, 1]);
  };
  const parts = Array.from({ length: kh * kw }, (_, at) => part(Math.floor(at / kw), at % kw));
  return g.reshape(parts.length === 1 && parts[0] ? parts[0] : g.concat(parts, 2), [out, each, kh, kw]);
}

const padIf = (g: Builder, x: Value, axis: number, before: number, after: number, value = 0): Value =>
  before === 0 && after === 0 ? x : g.pad(x, axis, { before, after, value });

interface Windows {
  readonly kernel: number;
  readonly stride: number;
  readonly pad: number;
}

/** Parts of the padded x that each position of a pooling window meets, and the way back of a cotangent of such a part. */
function windowsOf(g: Builder, { kernel, stride, pad }: Windows, x: Value, y: Value, fill: number) {
  const [rows, columns] = [known(y.shape[2]), known(y.shape[3])];
  const need = (axis: number, count: number) =>
    Math.max(pad, (count - 1) * stride + kernel - known(x.shape[axis]) - pad);
  const after = [need(2, rows), need(3, columns)] as const;
  const padded = padIf(g, padIf(g, x, 2, pad, after[0], fill), 3, pad, after[1], fill);
  const [height, width] = [known(padded.shape[2]), known(padded.shape[3])];
  const places = Array.from({ length: kernel * kernel }, (_, k) => [Math.floor(k / kernel), k % kernel] as const);
  const at = ([i, j]: readonly [number, number]): Value =>
    strided(g, strided(g, padded, 2, { from: i, step: stride, count: rows }), 3, {
      from: j,
      step: stride,
      count: columns,
    });
  const back = (part: Value, [i, j]: readonly [number, number]): Value =>
    spread(g, spread(g, part, 3, { from: j, step: stride, size: width }), 2, { from: i, step: stride, size: height });
  const inner = (v: Value): Value =>
    g.slice(g.slice(v, 2, pad, pad + known(x.shape[2])), 3, pad, pad + known(x.shape[3]));
  return { places, at, back, inner };
}

/** Cotangent of a max pooling's x: each cotangent goes to the first element of its window that is the maximum, as in PyTorch. */
export function maxPoolInput(g: Builder, op: Op<"maxPool">, ct: Value, x: Value, y: Value): Value {
  const { places, at, back, inner } = windowsOf(g, op, x, y, -3e38);
  const one = g.constant([], Float32Array.of(1));
  let free = g.broadcast(one, dims(y));
  const parts = places.map((place) => {
    const taken = g.mul(free, g.sub(one, g.greater(y, at(place))));
    free = g.sub(free, taken);
    return back(g.mul(ct, taken), place);
  });
  return inner(parts.reduce((a, b) => g.add(a, b)));
}

/** Cotangent of an average pooling's x: an equal part of each cotangent to every element of its window. */
export function averagePoolInput(g: Builder, op: Op<"averagePool">, ct: Value, x: Value, y: Value): Value {
  const one = g.constant([], Float32Array.of(1));
  const { places, back, inner } = windowsOf(g, op, x, y, 0);
  const inside = windowsOf(g, op, g.broadcast(one, dims(x)), y, 0);
  const share = op.countPad
    ? g.mul(ct, g.constant([], Float32Array.of(1 / op.kernel ** 2)))
    : g.div(
        ct,
        places.map(inside.at).reduce((a, b) => g.add(a, b)),
      );
  return inner(places.map((place) => back(share, place)).reduce((a, b) => g.add(a, b)));
}

/** Matrix [to, from] with a 1 where row i of the result is row ⌊i · from / to⌋. */
function selection(g: Builder, from: number, to: number): Value {
  const data = new Float32Array(to * from);
  for (let i = 0; i < to; i++) data[i * from + Math.floor((i * from) / to)] = 1;
  return g.constant([to, from], data);
}

/** Cotangent of a nearest-neighbour resize's x: the sum over the elements that repeat it. */
export function resizeInput(g: Builder, op: Op<"resizeNearest">, ct: Value, x: Value): Value {
  const [batch = 1, channels = 1, height = 1, width = 1] = dims(x);
  const [down, across] = [op.height / height, op.width / width];
  if (Number.isInteger(down) && Number.isInteger(across))
    return g.sum(g.reshape(ct, [batch, channels, height, down, width, across]), [3, 5]);
  const rows = g.transpose(selection(g, height, op.height), [1, 0]);
  return g.matmul(rows, g.matmul(ct, selection(g, width, op.width)));
}
