/**
 * The change an adapter makes to one layer, as a closed set of kinds with their formulas. W is the layer's weight, [O, I] or
 * [O, I, k, k], and every kind gives a W′ of the same shape. Tensors have the shapes that `shapes.ts` allows.
 */
import { count, type FloatTensor, float, transposed } from "../tensor/index.js";

/** ΔW is alpha / rank times a product; with DoRA, W + ΔW is rescaled. */
interface Scaled {
  readonly alpha: number | null;
  readonly magnitude: Magnitude | null;
}

/** DoRA (Liu et al. 2024, eq. 5): the norm that W′ has for each output [O] or each input [I]. */
export interface Magnitude {
  readonly axis: "output" | "input";
  readonly lengths: FloatTensor;
}

/** Change of one layer, by kind. */
export type Delta =
  /** ΔW = up down (Hu et al. 2021, §4.1). down [r, I(, k, k)], up [O, r(, 1, 1)]; with a Tucker core [r, r, k, k] both are 1×1 (LoCon). */
  | (Scaled & {
      readonly kind: "low-rank";
      readonly down: FloatTensor;
      readonly up: FloatTensor;
      readonly mid: FloatTensor | null;
    })
  /** ΔW = (A₁ B₁) ∘ (A₂ B₂) (LoHa: Hyeon-Woo et al. 2021). */
  | (Scaled & { readonly kind: "hadamard"; readonly factors: readonly [Product, Product] })
  /** ΔW = W₁ ⊗ W₂ (LoKr: Yeh et al. 2023). */
  | (Scaled & {
      readonly kind: "kronecker";
      readonly left: KroneckerFactor;
      readonly right: KroneckerFactor;
      /** The layer has these rows of the product, where a file's layer is several of the model's; default all. */
      readonly rows?: RowRanges;
    })
  /** ΔW and Δb in full. */
  | { readonly kind: "difference"; readonly weight: FloatTensor | null; readonly bias: FloatTensor | null }
  /** W′ in full (Custom Diffusion: Kumari et al. 2023). */
  | { readonly kind: "replacement"; readonly weight: FloatTensor };

/** Rows [from, to) of a matrix, one range after the other. */
export type RowRanges = readonly (readonly [from: number, to: number])[];

/** A B with A [O, r] and B [r, …]; with a Tucker core [r, r, k, k], A [r, O] and B [r, I]. */
export interface Product {
  readonly a: FloatTensor;
  readonly b: FloatTensor;
  readonly core: FloatTensor | null;
}

/** One matrix of a Kronecker product: in full, or as a product. */
export type KroneckerFactor = { readonly full: FloatTensor } | Product;

/** Rank of a change; null for kinds without one. */
export function rankOf(delta: Delta): number | null {
  if (delta.kind === "low-rank") return delta.down.shape[0] ?? 0;
  if (delta.kind === "hadamard") return delta.factors[0].b.shape[0] ?? 0;
  if (delta.kind !== "kronecker") return null;
  const { left, right } = delta;
  if ("b" in left) return left.b.shape[0] ?? 0;
  return "b" in right ? (right.b.shape[0] ?? 0) : null;
}

/** alpha / rank; 1 without an alpha, and for a Kronecker product of two full matrices. */
export function strengthOf(delta: Delta): number {
  const rank = rankOf(delta);
  return "alpha" in delta && delta.alpha !== null && rank !== null ? delta.alpha / rank : 1;
}

/** A change as two matrices: down [r, I(, k, k)] and up [O, r]. alpha / rank is not in them. */
export interface LowRank {
  readonly down: FloatTensor;
  readonly up: FloatTensor;
}

/** The two matrices of a LoRA or LoCon; null for other kinds, and for DoRA, which is not additive. */
export const lowRank = (delta: Delta): LowRank | null =>
  delta.kind === "low-rank" && delta.magnitude === null ? matricesOf(delta) : null;

/** The two matrices of a low-rank change. A Tucker core is multiplied into `down`. */
export function matricesOf({ down, up, mid }: Extract<Delta, { kind: "low-rank" }>): LowRank {
  const [rank = 0, inputs = 0] = down.shape;
  const flatUp = float([up.shape[0] ?? 0, rank], up.data);
  if (!mid) return { down, up: flatUp };
  // Σ_j mid[i, j, y, x] · down[j, c]: both convolutions as one.
  const [, , ...kernel] = mid.shape;
  const taps = count(kernel);
  const data = new Float32Array(rank * inputs * taps);
  for (let i = 0; i < rank; i++) {
    for (let j = 0; j < rank; j++) {
      for (let c = 0; c < inputs; c++) {
        const d = down.data[j * inputs + c] ?? 0;
        for (let t = 0; t < taps; t++) {
          const at = (i * inputs + c) * taps + t;
          data[at] = (data[at] ?? 0) + (mid.data[(i * rank + j) * taps + t] ?? 0) * d;
        }
      }
    }
  }
  return { down: float([rank, inputs, ...kernel], data), up: flatUp };
}

/** True when a change applies to the layer's weight. */
export const changesWeight = (delta: Delta): boolean => delta.kind !== "difference" || delta.weight !== null;

/** True when a change applies to the layer's bias. */
export const changesBias = (delta: Delta): boolean => delta.kind === "difference" && delta.bias !== null;

/** Weight W with a change at a scale: W + scale · (W′ − W). @throws RangeError when the shapes differ in size */
export function applyDelta(delta: Delta, weight: FloatTensor, scale: number): FloatTensor {
  const { shape, data } = weight;
  if (delta.kind === "replacement") return mix(weight, delta.weight.data, scale);
  if (delta.kind === "difference") return delta.weight ? plus(weight, delta.weight.data, scale) : weight;
  const change = changeOf(delta, shape);
  const strength = strengthOf(delta);
  if (delta.magnitude === null) return plus(weight, change, strength * scale);
  const moved = data.map((w, i) => w + strength * (change[i] ?? 0));
  return mix(weight, rescaled(moved, shape, delta.magnitude), scale);
}

/** Bias b with a change at a scale: b + scale · Δb. @throws RangeError when the shapes differ in size */
export function applyBias(delta: Delta, bias: FloatTensor, scale: number): FloatTensor {
  return delta.kind === "difference" && delta.bias ? plus(bias, delta.bias.data, scale) : bias;
}

const plus = (w: FloatTensor, change: Float32Array, scale: number): FloatTensor =>
  combined(w, change, (v, c) => v + scale * c);

const mix = (w: FloatTensor, other: Float32Array, scale: number): FloatTensor =>
  combined(w, other, (v, o) => v + scale * (o - v));

/** @throws RangeError when lengths differ */
function combined(
  { shape, data }: FloatTensor,
  other: Float32Array,
  of: (v: number, other: number) => number,
): FloatTensor {
  if (other.length !== data.length) {
    throw new RangeError(`a change of ${other.length} values does not fit a weight [${shape.join(", ")}]`);
  }
  return float(
    shape,
    data.map((v, i) => of(v, other[i] ?? 0)),
  );
}

/** Scales rows or columns to given norms; zero ones stay zero. */
function rescaled(data: Float32Array, shape: readonly number[], { axis, lengths }: Magnitude): Float32Array {
  const [outputs = 1, inputs = 1, ...kernel] = shape;
  const taps = count(kernel);
  const group = (i: number) => (axis === "output" ? Math.floor(i / (inputs * taps)) : Math.floor(i / taps) % inputs);
  const squares = new Float64Array(axis === "output" ? outputs : inputs);
  for (const [i, v] of data.entries()) squares[group(i)] = (squares[group(i)] ?? 0) + v * v;
  return data.map((v, i) => (v * (lengths.data[group(i)] ?? 0)) / Math.sqrt(squares[group(i)] || 1));
}

/** ΔW without alpha / rank, flattened. */
function changeOf(delta: Extract<Delta, Scaled>, shape: readonly number[]): Float32Array {
  if (delta.kind === "low-rank") {
    const { down, up } = matricesOf(delta);
    return product(up, matrix(down)).data;
  }
  if (delta.kind === "hadamard") {
    const [first, second] = delta.factors;
    const other = multiplied(second).data;
    return multiplied(first).data.map((v, i) => v * (other[i] ?? 0));
  }
  const [left, right] = [delta.left, delta.right].map((f) => ("full" in f ? f.full : multiplied(f)));
  if (!left || !right) return new Float32Array();
  if (!delta.rows) return kronecker(left, right, shape);
  const [, ...rest] = shape;
  const all = (left.shape[0] ?? 0) * (right.shape[0] ?? 0);
  return rowsOf(float([all, ...rest], kronecker(left, right, [all, ...rest])), delta.rows).data;
}

/** Some of the rows of a tensor. x [R, …] → [Σ (to − from), …]. */
export function rowsOf({ shape, data }: FloatTensor, ranges: RowRanges): FloatTensor {
  const [, ...rest] = shape;
  const row = count(rest);
  const n = ranges.reduce((sum, [from, to]) => sum + to - from, 0);
  const out = new Float32Array(n * row);
  let at = 0;
  for (const [from, to] of ranges) {
    out.set(data.subarray(from * row, to * row), at);
    at += (to - from) * row;
  }
  return float([n, ...rest], out);
}

/** A B [O, …], or with a Tucker core [O, I, …kernel]. */
const multiplied = ({ a, b, core }: Product): FloatTensor =>
  core ? tucker(core, transposed(a), b) : product(a, matrix(b));

/** a [n, m], b [m, p] → [n, p]. */
function product(a: FloatTensor, b: FloatTensor): FloatTensor {
  const [n = 0, m = 0] = a.shape;
  const p = b.shape[1] ?? 0;
  const data = new Float32Array(n * p);
  for (let i = 0; i < n; i++) {
    const row = data.subarray(i * p, (i + 1) * p);
    for (let k = 0; k < m; k++) {
      const v = a.data[i * m + k] ?? 0;
      const other = b.data.subarray(k * p, (k + 1) * p);
      for (let j = 0; j < p; j++) row[j] = (row[j] ?? 0) + v * (other[j] ?? 0);
    }
  }
  return float([n, p], data);
}

/** Flattens all axes after the first. */
const matrix = ({ shape, data }: FloatTensor): FloatTensor => float([shape[0] ?? 0, count(shape.slice(1))], data);

/** Tucker decomposition: Σᵢⱼ core[i, j, …] a[p, i] b[j, r] → [p, r, …]. a [P, I], b [J, R]. */
function tucker(core: FloatTensor, a: FloatTensor, b: FloatTensor): FloatTensor {
  const [rows = 0, columns = 0, ...kernel] = core.shape;
  const taps = count(kernel);
  const right = b.shape[1] ?? 0;
  // [i, r, taps] first, then over i.
  const inner = new Float32Array(rows * right * taps);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      for (let r = 0; r < right; r++) {
        const v = b.data[j * right + r] ?? 0;
        for (let t = 0; t < taps; t++) {
          const at = (i * right + r) * taps + t;
          inner[at] = (inner[at] ?? 0) + v * (core.data[(i * columns + j) * taps + t] ?? 0);
        }
      }
    }
  }
  const { data } = product(a, float([rows, right * taps], inner));
  return float([a.shape[0] ?? 0, right, ...kernel], data);
}

/** Kronecker product w₁ [a, b] ⊗ w₂ [c, d(, k, k)] → [a c, b d(, k, k)], flattened; `shape` is that of the product. */
function kronecker(left: FloatTensor, right: FloatTensor, shape: readonly number[]): Float32Array {
  const [a = 0, b = 0] = left.shape;
  const c = (shape[0] ?? 0) / a;
  const d = (shape[1] ?? 0) / b;
  const taps = count(shape.slice(2));
  const data = new Float32Array(count(shape));
  let at = 0;
  for (let o = 0; o < a * c; o++) {
    for (let i = 0; i < b * d; i++) {
      const v = left.data[Math.floor(o / c) * b + Math.floor(i / d)] ?? 0;
      const from = ((o % c) * d + (i % d)) * taps;
      for (let t = 0; t < taps; t++) data[at++] = v * (right.data[from + t] ?? 0);
    }
  }
  return data;
}
