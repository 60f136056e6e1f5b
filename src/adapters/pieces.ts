/** A change of a fused layer as changes of the layers whose rows it has, and these as one change of the fused layer. */
import { count, type FloatTensor, float } from "../tensor/index.js";
import { type Delta, type Magnitude, matricesOf, type Product, type RowRanges, rowsOf, strengthOf } from "./delta.js";

/**
 * Change of some rows of a layer. Exact for every kind: the matrices that make outputs keep those rows, the others are shared.
 * @returns null for DoRA with norms per input, which are those of all rows together
 */
export function pieceOf(delta: Delta, rows: RowRanges): Delta | null {
  if (delta.kind === "difference") {
    const { weight, bias } = delta;
    return { ...delta, weight: weight && rowsOf(weight, rows), bias: bias && rowsOf(bias, rows) };
  }
  if (delta.kind === "replacement") return { ...delta, weight: rowsOf(delta.weight, rows) };
  const magnitude = lengthsOf(delta.magnitude, rows);
  if (magnitude === undefined) return null;
  if (delta.kind === "kronecker") return { ...delta, magnitude, rows };
  if (delta.kind === "hadamard") {
    const [first, second] = delta.factors;
    const cut = (product: Product): Product => ({ ...product, a: rowsOf(product.a, rows) });
    return { ...delta, magnitude, factors: [cut(first), cut(second)] };
  }
  return { ...delta, magnitude, up: rowsOf(delta.up, rows) };
}

const lengthsOf = (magnitude: Magnitude | null, rows: RowRanges): Magnitude | null | undefined => {
  if (magnitude === null) return null;
  return magnitude.axis === "output" ? { ...magnitude, lengths: rowsOf(magnitude.lengths, rows) } : undefined;
};

/** A change of a layer, and the rows of the fused layer that it has. */
export interface PieceChange {
  readonly delta: Delta;
  readonly rows: RowRanges;
}

/**
 * Changes of layers as one change of the layer that has their rows; its other rows stay as they are. Exact: low-rank changes stand
 * side by side, so that ranks add up, but for those with one `down` in common, as `pieceOf` makes them.
 * @param whole shape of the fused layer's weight
 * @returns null where no change of the fused layer is the same: kinds other than low-rank and difference, several kinds together, DoRA with norms
 * per input, and DoRA of some of the rows
 */
export function joined(parts: readonly PieceChange[], whole: readonly number[]): Delta | null {
  const differences = parts.flatMap(({ delta, rows }) => (delta.kind === "difference" ? [{ ...delta, rows }] : []));
  if (differences.length === parts.length) {
    const all = (field: "weight" | "bias", shape: readonly number[]): FloatTensor | null => {
      const found = differences.flatMap(({ [field]: tensor, rows }) => (tensor ? [{ tensor, rows }] : []));
      return found.length > 0 ? placed(found, shape) : null;
    };
    return { kind: "difference", weight: all("weight", whole), bias: all("bias", whole.slice(0, 1)) };
  }
  const lowRanks = parts.flatMap(({ delta, rows }) => (delta.kind === "low-rank" ? [{ delta, rows }] : []));
  return lowRanks.length === parts.length ? joinedLowRanks(lowRanks, whole) : null;
}

/** [down₁; down₂ …] and a block of `up` for each. alpha / rank is that of all where it is the same, else 1 and in `up`. */
function joinedLowRanks(
  parts: readonly { readonly delta: Extract<Delta, { kind: "low-rank" }>; readonly rows: RowRanges }[],
  whole: readonly number[],
): Delta | null {
  const changes = parts.map(({ delta, rows }) => ({ ...matricesOf(delta), strength: strengthOf(delta), delta, rows }));
  const first = changes[0]?.strength ?? 1;
  const common = changes.every(({ strength }) => strength === first) ? first : 1;
  const starts = new Map<FloatTensor, number>();
  let rank = 0;
  for (const { down } of changes) {
    if (starts.has(down)) continue;
    starts.set(down, rank);
    rank += down.shape[0] ?? 0;
  }
  const ups = changes.map(({ down, up, strength, rows }) => ({
    tensor: widened(up, starts.get(down) ?? 0, rank, strength / common),
    rows,
  }));
  const magnitude = joinedLengths(parts, whole[0] ?? 0);
  if (magnitude === undefined) return null;
  return {
    kind: "low-rank",
    down: stacked([...starts.keys()]),
    up: placed(ups, [whole[0] ?? 0, rank]),
    mid: null,
    alpha: common * rank,
    magnitude,
  };
}

/** Norms of DoRA of all rows; null without DoRA, undefined where some rows have none. */
function joinedLengths(parts: readonly PieceChange[], outputs: number): Magnitude | null | undefined {
  const lengths = parts.flatMap(({ delta, rows }) => {
    const magnitude = "magnitude" in delta ? delta.magnitude : null;
    return magnitude?.axis === "output" ? [{ tensor: magnitude.lengths, rows }] : [];
  });
  if (parts.every(({ delta }) => !("magnitude" in delta) || delta.magnitude === null)) return null;
  const covered = lengths.reduce((n, { tensor }) => n + (tensor.shape[0] ?? 0), 0);
  return covered === outputs ? { axis: "output", lengths: placed(lengths, [outputs]) } : undefined;
}

/** Tensors at rows of a larger one, with zeros elsewhere: the inverse of `rowsOf`. */
function placed(
  parts: readonly { readonly tensor: FloatTensor; readonly rows: RowRanges }[],
  shape: readonly number[],
): FloatTensor {
  const row = count(shape.slice(1));
  const data = new Float32Array(count(shape));
  for (const { tensor, rows } of parts) {
    let at = 0;
    for (const [from, to] of rows) {
      data.set(tensor.data.subarray(at, at + (to - from) * row), from * row);
      at += (to - from) * row;
    }
  }
  return float(shape, data);
}

/** A matrix [O, r] times a number as columns of a matrix of zeros [O, columns]. */
function widened({ shape, data }: FloatTensor, from: number, columns: number, by: number): FloatTensor {
  const [outputs = 0, rank = 0] = shape;
  const wide = new Float32Array(outputs * columns);
  for (const [i, v] of data.entries()) wide[Math.floor(i / rank) * columns + from + (i % rank)] = v * by;
  return float([outputs, columns], wide);
}

/** Tensors [r, …] one below the other. */
function stacked(tensors: readonly FloatTensor[]): FloatTensor {
  const rank = tensors.reduce((n, { shape }) => n + (shape[0] ?? 0), 0);
  const shape = [rank, ...(tensors[0]?.shape.slice(1) ?? [])];
  const data = new Float32Array(count(shape));
  let at = 0;
  for (const tensor of tensors) {
    data.set(tensor.data, at);
    at += tensor.data.length;
  }
  return float(shape, data);
}
