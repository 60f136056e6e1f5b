/** Evaluates graphs of primitive operations in float64 with plain loops: an independent reading of each operation, for tiny shapes. */

import { isComposite, type PrimitiveKind } from "../../src/graph/decompose.js";
import { decompose, type Graph, type Op, type Value } from "../../src/graph/index.js";

/** Array in row-major order. */
export interface NdArray {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

type Index = readonly number[];
type Rule<K extends PrimitiveKind> = (
  op: Op<K>,
  inputs: readonly [NdArray, NdArray, NdArray, ...NdArray[]],
  all: readonly NdArray[],
) => NdArray;

const count = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

function* indices(shape: readonly number[]): Generator<Index> {
  for (let i = 0; i < count(shape); i++) {
    let rest = i;
    const index: number[] = [];
    for (const d of shape.toReversed()) {
      index.unshift(rest % d);
      rest = Math.floor(rest / d);
    }
    yield index;
  }
}

/** Array of a function of the index. */
export const fill = (shape: readonly number[], f: (i: Index) => number): NdArray => ({
  shape,
  data: Float64Array.from(indices(shape), f),
});

/** Element at an index; 0 outside the array. */
function at(x: NdArray, index: Index, outside = 0): number {
  let flat = 0;
  for (const [axis, d] of x.shape.entries()) {
    const i = index[axis] ?? 0;
    if (i < 0 || i >= d) return outside;
    flat = flat * d + i;
  }
  return x.data[flat] ?? Number.NaN;
}

/** Index into an operand of `shape` that broadcasts to the shape of `index`. */
const projected = (index: Index, shape: readonly number[]): Index =>
  shape.map((d, i) => (d === 1 ? 0 : (index[i + index.length - shape.length] ?? 0)));

function binary(f: (a: number, b: number) => number): Rule<PrimitiveKind> {
  return (_, [a, b]) => {
    const rank = Math.max(a.shape.length, b.shape.length);
    const shape = Array.from({ length: rank }, (_, i) =>
      Math.max(a.shape[i - rank + a.shape.length] ?? 1, b.shape[i - rank + b.shape.length] ?? 1),
    );
    return fill(shape, (i) => f(at(a, projected(i, a.shape)), at(b, projected(i, b.shape))));
  };
}

const unary =
  (f: (x: number) => number): Rule<PrimitiveKind> =>
  (_, [x]) => ({ shape: x.shape, data: x.data.map(f) });

/** Σ over 0 … n − 1. */
const sum = (n: number, f: (i: number) => number): number => {
  let total = 0;
  for (let i = 0; i < n; i++) total += f(i);
  return total;
};

/** 2 / √π Σ (−1)ⁿ x²ⁿ⁺¹ / (n! (2n + 1)). */
function erf(x: number): number {
  let term = x;
  let total = x;
  for (let n = 1; n < 100; n++) {
    term *= (-x * x) / n;
    total += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * total;
}

function reduced(x: NdArray, axes: readonly number[], scale: number): NdArray {
  const shape = x.shape.filter((_, i) => !axes.includes(i));
  const data = new Float64Array(count(shape));
  const out = { shape, data };
  let flat = 0;
  for (const index of indices(x.shape)) {
    const to = index.filter((_, i) => !axes.includes(i)).reduce((n, i, axis) => n * (shape[axis] ?? 1) + i, 0);
    data[to] = (data[to] ?? 0) + (x.data[flat++] ?? 0) * scale;
  }
  return out;
}

/** Windows of a pooling: the elements that each output meets, those outside the image left out. */
function pooled(op: Op<"maxPool" | "averagePool">, x: NdArray, of: (met: readonly number[]) => number): NdArray {
  const { kernel, stride, pad } = op;
  const ceil = op.kind === "maxPool" && op.ceil;
  const size = (n: number) => {
    const windows = (n + 2 * pad - kernel) / stride;
    const whole = (ceil ? Math.ceil(windows) : Math.floor(windows)) + 1;
    return ceil && (whole - 1) * stride >= n + pad ? whole - 1 : whole;
  };
  const [b = 1, c = 1, h = 1, w = 1] = x.shape;
  return fill([b, c, size(h), size(w)], ([n = 0, k = 0, i = 0, j = 0]) => {
    const met: number[] = [];
    for (let di = 0; di < kernel; di++)
      for (let dj = 0; dj < kernel; dj++)
        met.push(at(x, [n, k, i * stride + di - pad, j * stride + dj - pad], Number.NaN));
    return of(met.filter((v) => !Number.isNaN(v)));
  });
}

const replaced = (index: Index, axis: number, value: number): Index => index.map((v, i) => (i === axis ? value : v));

const rules: { readonly [K in PrimitiveKind]: Rule<K> } = {
  conv({ stride, pads: [top, left, bottom, right], groups }, [x, w, bias], { length }) {
    const [b = 1, , h = 1, wide = 1] = x.shape;
    const [out = 1, each = 1, kh = 1, kw = 1] = w.shape;
    const rows = Math.floor((h + top + bottom - kh) / stride) + 1;
    const columns = Math.floor((wide + left + right - kw) / stride) + 1;
    return fill([b, out, rows, columns], ([n = 0, o = 0, i = 0, j = 0]) => {
      const first = Math.floor(o / (out / groups)) * each;
      const value = sum(each, (c) =>
        sum(kh, (di) =>
          sum(kw, (dj) => at(x, [n, first + c, i * stride + di - top, j * stride + dj - left]) * at(w, [o, c, di, dj])),
        ),
      );
      return value + (length > 2 ? at(bias, [o]) : 0);
    });
  },
  linear(_, [x, w, bias], { length }) {
    const [out = 1, inputs = 1] = w.shape;
    return fill([...x.shape.slice(0, -1), out], (i) => {
      const o = i.at(-1) ?? 0;
      const value = sum(inputs, (k) => at(x, [...i.slice(0, -1), k]) * at(w, [o, k]));
      return value + (length > 2 ? at(bias, [o]) : 0);
    });
  },
  matmul(_, [a, b]) {
    const lead = binary((x) => x)(
      { kind: "add" },
      [fill(a.shape.slice(0, -2), () => 0), fill(b.shape.slice(0, -2), () => 0), a],
      [],
    ).shape;
    const inner = a.shape.at(-1) ?? 1;
    return fill([...lead, a.shape.at(-2) ?? 1, b.shape.at(-1) ?? 1], (i) => {
      const [m = 0, n = 0] = i.slice(-2);
      const [la, lb] = [
        projected(i.slice(0, -2), a.shape.slice(0, -2)),
        projected(i.slice(0, -2), b.shape.slice(0, -2)),
      ];
      return sum(inner, (k) => at(a, [...la, m, k]) * at(b, [...lb, k, n]));
    });
  },
  add: binary((a, b) => a + b),
  sub: binary((a, b) => a - b),
  mul: binary((a, b) => a * b),
  div: binary((a, b) => a / b),
  greater: binary((a, b) => Number(a > b)),
  relu: unary((x) => Math.max(x, 0)),
  tanh: unary(Math.tanh),
  sin: unary(Math.sin),
  cos: unary(Math.cos),
  sqrt: unary(Math.sqrt),
  exp: unary(Math.exp),
  sigmoid: unary((x) => 1 / (1 + Math.exp(-x))),
  erf: unary(erf),
  softmax(_, [x]) {
    const n = x.shape.at(-1) ?? 1;
    return fill(x.shape, (i) => {
      const own = i.slice(0, -1);
      return Math.exp(at(x, i)) / sum(n, (k) => Math.exp(at(x, [...own, k])));
    });
  },
  reshape: ({ shape }, [x]) => ({ shape: shape.map(Number), data: x.data }),
  transpose: ({ order }, [x]) =>
    fill(
      order.map((axis) => x.shape[axis] ?? 1),
      (i) =>
        at(
          x,
          x.shape.map((_, axis) => i[order.indexOf(axis)] ?? 0),
        ),
    ),
  concat({ axis }, _, all) {
    const sizes = all.map((x) => x.shape[axis] ?? 1);
    const shape = (all[0]?.shape ?? []).map((d, i) => (i === axis ? sizes.reduce((a, b) => a + b) : d));
    const starts = sizes.map((_, k) => sum(k, (n) => sizes[n] ?? 0));
    return fill(shape, (i) => {
      const place = i[axis] ?? 0;
      const part = starts.findLastIndex((start) => start <= place);
      const source = all[part];
      return source ? at(source, replaced(i, axis, place - (starts[part] ?? 0))) : Number.NaN;
    });
  },
  slice: ({ axis, from, to }, [x]) =>
    fill(
      x.shape.map((d, i) => (i === axis ? to - from : d)),
      (i) => at(x, replaced(i, axis, (i[axis] ?? 0) + from)),
    ),
  mean: ({ axes }, [x]) => reduced(x, axes, 1 / axes.reduce((n, axis) => n * (x.shape[axis] ?? 1), 1)),
  sum: ({ axes }, [x]) => reduced(x, axes, 1),
  broadcast: ({ shape }, [x]) => fill(shape, (i) => at(x, projected(i, x.shape))),
  pad: ({ axis, before, after, value }, [x]) =>
    fill(
      x.shape.map((d, i) => (i === axis ? d + before + after : d)),
      (i) => at(x, replaced(i, axis, (i[axis] ?? 0) - before), value),
    ),
  convTranspose({ stride, pads: [top, left], groups, height, width }, [x, w]) {
    const [b = 1, channels = 1, rows = 1, columns = 1] = x.shape;
    const [, each = 1, kh = 1, kw = 1] = w.shape;
    const y = fill([b, each * groups, height, width], () => 0);
    for (const [n = 0, o = 0, i = 0, j = 0] of indices([b, channels, rows, columns])) {
      const first = Math.floor(o / (channels / groups)) * each;
      for (const [c = 0, di = 0, dj = 0] of indices([each, kh, kw])) {
        const [row, column] = [i * stride + di - top, j * stride + dj - left];
        if (row < 0 || row >= height || column < 0 || column >= width) continue;
        const to = ((n * each * groups + first + c) * height + row) * width + column;
        y.data[to] = (y.data[to] ?? 0) + at(x, [n, o, i, j]) * at(w, [o, c, di, dj]);
      }
    }
    return y;
  },
  resizeNearest: ({ height, width }, [x]) => {
    const [b = 1, c = 1, h = 1, w = 1] = x.shape;
    return fill([b, c, height, width], ([n = 0, k = 0, i = 0, j = 0]) =>
      at(x, [n, k, Math.floor((i * h) / height), Math.floor((j * w) / width)]),
    );
  },
  maxPool: (op, [x]) => pooled(op, x, (met) => Math.max(...met)),
  averagePool: (op, [x]) =>
    pooled(op, x, (met) => met.reduce((a, b) => a + b, 0) / (op.countPad ? op.kernel ** 2 : met.length)),
  embedding: (_, [table, ids]) =>
    fill([...ids.shape, table.shape[1] ?? 1], (i) => at(table, [at(ids, i.slice(0, -1)), i.at(-1) ?? 0])),
  scatterRows: ({ rows }, [x, ids]) =>
    fill([rows, x.shape.at(-1) ?? 1], ([r = 0, d = 0]) => {
      let total = 0;
      for (const i of indices(ids.shape)) if (at(ids, i) === r) total += at(x, [...i, d]);
      return total;
    }),
  pickRow: (_, [x, index]) =>
    fill([x.shape[0] ?? 1, x.shape[2] ?? 1], ([b = 0, d = 0]) => at(x, [b, at(index, [b]), d])),
  placeRow: ({ length }, [x, index]) =>
    fill([x.shape[0] ?? 1, length, x.shape[1] ?? 1], ([b = 0, l = 0, d = 0]) =>
      at(index, [b]) === l ? at(x, [b, d]) : 0,
    ),
  expandBatch: (_, [x, like]) => fill([like.shape[0] ?? 1, ...x.shape.slice(1)], ([, ...rest]) => at(x, [0, ...rest])),
};

type Feeds = Readonly<Record<string, NdArray>>;

/**
 * Outputs of a graph by name, as a function of its inputs. Composite operations are decomposed first; named dimensions must be bound,
 * weights be inputs.
 */
export function evaluator(graph: Graph): (feeds: Feeds) => ReadonlyMap<string, NdArray> {
  const plain = decompose(graph);
  return (feeds) => {
    const values = new Map<number, NdArray>();
    const of = (v: Value): NdArray => values.get(v.id) ?? fail(`value ${v.id} has no data`);
    for (const [name, v] of plain.inputs) values.set(v.id, feeds[name] ?? fail(`no feed ${name}`));
    for (const [id, { shape, data }] of plain.constants) values.set(id, { shape, data: Float64Array.from(data) });
    for (const { op, inputs, output } of plain.nodes) {
      if (isComposite(op)) fail(`${op.kind} was not decomposed`);
      else values.set(output.id, applied(op, inputs.map(of)));
    }
    return new Map([...plain.outputs].map(([name, v]) => [name, of(v)]));
  };
}

function applied<K extends PrimitiveKind>(op: Op<K>, all: readonly NdArray[]): NdArray {
  const kind: K = op.kind;
  const [a, b = a, c = b, ...rest] = all;
  if (!a || !b || !c) return fail(`${kind} has no inputs`);
  return rules[kind](op, [a, b, c, ...rest], all);
}

function fail(why: string): never {
  throw new RangeError(why);
}
