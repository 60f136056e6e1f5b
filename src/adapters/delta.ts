/**
 * What an adapter does to one layer, as a closed set of kinds with their formulas. W is the layer's weight, [O, I] or [O, I, k, k]; every
 * kind gives a W′ of the same shape. Matrices are small and plain arrays.
 */
import { count, type FloatTensor, float, transposed } from "../tensor/index.js";

export type Delta =
  /** ΔW = alpha / r · up down (Hu et al. 2021, §4.1). down [r, I(, k, k)], up [O, r(, 1, 1)]; mid [r, r, k, k] stands between 1×1 ends (LoCon). */
  | {
      readonly kind: "low-rank";
      readonly down: FloatTensor;
      readonly up: FloatTensor;
      readonly mid: FloatTensor | null;
      readonly alpha: number | null;
      /** DoRA's lengths, one for each output or each input (Liu et al. 2024, eq. 5). */
      readonly magnitude: FloatTensor | null;
    }
  /** ΔW = alpha / r · (a₁ b₁) ∘ (a₂ b₂) (LoHa: Hyeon-Woo et al. 2021); with cores t₁, t₂ [r, r, k, k] the products are Tucker's. */
  | {
      readonly kind: "hadamard";
      readonly factors: readonly [HadamardFactor, HadamardFactor];
      readonly alpha: number | null;
    }
  /** ΔW = scale · w₁ ⊗ w₂ (LoKr: Yeh et al. 2023); either may itself be a product. */
  | {
      readonly kind: "kronecker";
      readonly left: KroneckerFactor;
      readonly right: KroneckerFactor;
      readonly alpha: number | null;
    }
  /** ΔW and Δb as they are. */
  | { readonly kind: "difference"; readonly weight: FloatTensor | null; readonly bias: FloatTensor | null }
  /** W′ itself (Custom Diffusion: Kumari et al. 2023). */
  | { readonly kind: "replacement"; readonly weight: FloatTensor };

export interface HadamardFactor {
  readonly a: FloatTensor;
  readonly b: FloatTensor;
  readonly core: FloatTensor | null;
}

export type KroneckerFactor =
  | { readonly whole: FloatTensor }
  | { readonly a: FloatTensor; readonly b: FloatTensor; readonly core: FloatTensor | null };

/** A rank, where the kind has one. */
export function rankOf(delta: Delta): number | null {
  if (delta.kind === "low-rank") return delta.down.shape[0] ?? 0;
  if (delta.kind === "hadamard") return delta.factors[0].b.shape[0] ?? 0;
  if (delta.kind !== "kronecker") return null;
  const { left, right } = delta;
  if ("b" in left) return left.b.shape[0] ?? 0;
  return "b" in right ? (right.b.shape[0] ?? 0) : null;
}

/** alpha / rank; 1 where the file has no alpha, and for a Kronecker product of two whole factors. */
export function strengthOf(delta: Delta): number {
  const rank = rankOf(delta);
  return "alpha" in delta && delta.alpha !== null && rank !== null ? delta.alpha / rank : 1;
}

/** The same change as two factors, where it is one in closed form: down [r, I(, k, k)], up [O, r]. Strength is not in them. */
export function lowRank(delta: Delta): { readonly down: FloatTensor; readonly up: FloatTensor } | null {
  if (delta.kind !== "low-rank" || delta.magnitude !== null) return null;
  const [rank = 0, inputs = 0] = delta.down.shape;
  const outputs = delta.up.shape[0] ?? 0;
  const up = float([outputs, delta.up.shape[1] ?? 0], delta.up.data);
  if (!delta.mid) return { down: delta.down, up };
  // Σ_j mid[i, j, y, x] · down[j, c]: the two first convolutions are one.
  const [middle = 0, , ...kernel] = delta.mid.shape;
  const taps = count(kernel);
  const data = new Float32Array(middle * inputs * taps);
  for (let i = 0; i < middle; i++) {
    for (let j = 0; j < rank; j++) {
      for (let c = 0; c < inputs; c++) {
        const d = delta.down.data[j * inputs + c] ?? 0;
        for (let t = 0; t < taps; t++) {
          const at = (i * inputs + c) * taps + t;
          data[at] = (data[at] ?? 0) + (delta.mid.data[(i * rank + j) * taps + t] ?? 0) * d;
        }
      }
    }
  }
  return { down: float([middle, inputs, ...kernel], data), up };
}

/** Whether a kind changes a layer's weight. */
export const changesWeight = (delta: Delta): boolean => delta.kind !== "difference" || delta.weight !== null;

/** Whether a kind changes a layer's bias. */
export const changesBias = (delta: Delta): boolean => delta.kind === "difference" && delta.bias !== null;

/** W + scale · (W′ − W) for a weight of `shape`. */
export function applyDelta(delta: Delta, weight: FloatTensor, scale: number): FloatTensor {
  const { shape, data } = weight;
  if (delta.kind === "replacement") return mix(weight, delta.weight.data, scale);
  if (delta.kind === "difference") return delta.weight ? plus(weight, delta.weight.data, scale) : weight;
  const change = changeOf(delta, shape);
  const strength = strengthOf(delta);
  if (delta.kind !== "low-rank" || delta.magnitude === null) return plus(weight, change, strength * scale);
  const moved = data.map((w, i) => w + strength * (change[i] ?? 0));
  return mix(weight, rescaled(moved, shape, delta.magnitude), scale);
}

/** b + scale · Δb. */
export function applyBias(delta: Delta, bias: FloatTensor, scale: number): FloatTensor {
  return delta.kind === "difference" && delta.bias ? plus(bias, delta.bias.data, scale) : bias;
}

const plus = ({ shape, data }: FloatTensor, change: Float32Array, scale: number): FloatTensor =>
  float(
    shape,
    data.map((w, i) => w + scale * (change[i] ?? 0)),
  );

const mix = ({ shape, data }: FloatTensor, other: Float32Array, scale: number): FloatTensor =>
  float(
    shape,
    data.map((w, i) => w + scale * ((other[i] ?? 0) - w)),
  );

/** Rows, or columns, brought to the lengths in `magnitude`: [O] or [O, 1 …] for rows (PEFT), [1, I …] for columns (kohya). */
function rescaled(data: Float32Array, shape: readonly number[], magnitude: FloatTensor): Float32Array {
  const [outputs = 1, inputs = 1, ...kernel] = shape;
  const taps = count(kernel);
  const byRow = magnitude.shape[0] === outputs;
  const group = (i: number) => (byRow ? Math.floor(i / (inputs * taps)) : Math.floor(i / taps) % inputs);
  const squares = new Float64Array(byRow ? outputs : inputs);
  for (const [i, v] of data.entries()) squares[group(i)] = (squares[group(i)] ?? 0) + v * v;
  return data.map((v, i) => (v * (magnitude.data[group(i)] ?? 0)) / Math.sqrt(squares[group(i)] ?? 1));
}

/** ΔW without its strength, flat. */
function changeOf(delta: Extract<Delta, { alpha: number | null }>, shape: readonly number[]): Float32Array {
  if (delta.kind === "low-rank") {
    const flat = lowRank({ ...delta, magnitude: null });
    const down = flat?.down ?? delta.down;
    return product(flat?.up ?? delta.up, float([down.shape[0] ?? 0, count(down.shape.slice(1))], down.data)).data;
  }
  if (delta.kind === "hadamard") {
    const [first, second] = delta.factors.map(({ a, b, core }) =>
      core ? tucker(core, transposed(a), b).data : product(a, matrix(b)).data,
    );
    return (first ?? new Float32Array()).map((v, i) => v * (second?.[i] ?? 0));
  }
  return kronecker(wholeOf(delta.left), wholeOf(delta.right), shape);
}

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

/** Everything behind the first dimension as one. */
const matrix = ({ shape, data }: FloatTensor): FloatTensor => float([shape[0] ?? 0, count(shape.slice(1))], data);

/** Σᵢⱼ core[i, j, …] a[p, i] b[j, r] → [p, r, …] (Tucker's decomposition). a [P, I], b [J, R]. */
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

function wholeOf(factor: KroneckerFactor): FloatTensor {
  if ("whole" in factor) return factor.whole;
  if (factor.core) return tucker(factor.core, transposed(factor.a), factor.b);
  const [rank = 0, ...rest] = factor.b.shape;
  const { data } = product(factor.a, float([rank, count(rest)], factor.b.data));
  return float([factor.a.shape[0] ?? 0, ...rest], data);
}

/** w₁ [a, b] ⊗ w₂ [c, d(, k, k)] → [a c, b d(, k, k)], flat; a w₂ that is flat over its kernel takes it from `shape`. */
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
