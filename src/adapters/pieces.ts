/** A change of a fused layer as changes of the layers whose rows it has. */
import { type Delta, type Magnitude, type Product, type RowRanges, rowsOf } from "./delta.js";

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
