/** Low-rank approximation of a matrix by randomised SVD (Halko, Martinsson & Tropp 2011, algorithms 4.4 and 5.1). */
import { eigenvectors, LARGEST_EIGEN, orthonormal } from "../linalg/index.js";
import { createRng, type Matrix, matrix, type Product, transpose } from "../tensor/index.js";
import { LARGEST_RANK } from "./fields.js";

/** Number of singular values to keep: at most `rank`, and no more than needed for the fraction `energy` (0…1) of the squared Frobenius norm. */
export interface Keep {
  readonly rank: number;
  readonly energy: number;
}

/** A low-rank approximation up · down of rank r. */
export interface Factors {
  /** [rows, r] */
  readonly up: Matrix;
  /** [r, columns] */
  readonly down: Matrix;
  /** Fraction of the squared Frobenius norm that up · down retains, 0…1. */
  readonly kept: number;
}

/** Columns of the sketch beyond the rank (the paper's p), 10: a sketch of the largest rank is the largest matrix that is solved. */
const OVERSAMPLE = LARGEST_EIGEN - LARGEST_RANK;
/** Power iterations (the paper's q). */
const PASSES = 2;
/** Rank of the first sketch for an `energy` below 1; doubled until the energy is reached. */
const FIRST = 24;

const squared = ({ data }: Matrix): number => data.reduce((s, v) => s + v * v, 0);

/**
 * Approximates d [rows, columns] by up · down; each contains the square roots of the singular values. Null when d is zero.
 * @throws RangeError when d contains NaN or infinity
 */
export async function factorise(d: Matrix, keep: Keep, multiply: Product): Promise<Factors | null> {
  const total = squared(d);
  if (total === 0) return null;
  if (!Number.isFinite(total)) throw new RangeError("the matrix contains NaN or infinity; expected finite values");
  const turned = transpose(d);
  if (d.rows <= d.columns) return thin(d, turned, keep, total, multiply);
  const { up, down, kept } = await thin(turned, d, keep, total, multiply);
  return { up: transpose(down), down: transpose(up), kept };
}

/** `factorise` for d [n, m] with n ≤ m; `turned` is its transpose. */
async function thin(d: Matrix, turned: Matrix, keep: Keep, total: number, multiply: Product): Promise<Factors> {
  for (let sought = keep.energy < 1 ? Math.min(FIRST, keep.rank) : keep.rank; ; sought *= 2) {
    const width = Math.min(sought + OVERSAMPLE, d.rows);
    const basis = width === d.rows ? null : await rangeOf(d, turned, width, multiply);
    // d projected on the basis; without a basis, d itself.
    const small = basis ? await multiply(transpose(basis), turned) : d;
    const { values, vectors } = eigenvectors(await multiply(small, small));
    const most = Math.min(sought, keep.rank, width);
    let rank = 0;
    let held = 0;
    while (rank < most && held < keep.energy * total && (values[rank] ?? 0) > 0) held += values[rank++] ?? 0;
    if (held < keep.energy * total && rank === sought && sought < Math.min(keep.rank, d.rows)) continue;
    const top = matrix(rank, width, vectors.data.slice(0, rank * width));
    const roots = values.slice(0, rank).map((v) => v ** 0.25);
    const left = basis ? await multiply(basis, top) : transpose(top);
    const right = await multiply(top, transpose(small));
    return {
      up: matrix(
        d.rows,
        rank,
        left.data.map((v, i) => v * (roots[i % rank] ?? 0)),
      ),
      down: matrix(
        rank,
        d.columns,
        right.data.map((v, i) => v / (roots[Math.floor(i / d.columns)] ?? 1)),
      ),
      kept: held / total,
    };
  }
}

/** Orthonormal basis [n, width] of an approximate range of d. */
async function rangeOf(d: Matrix, turned: Matrix, width: number, multiply: Product): Promise<Matrix> {
  const probes = createRng(0).randn([width, d.columns]);
  let basis = orthonormal(await multiply(d, matrix(width, d.columns, Float64Array.from(probes.data))));
  for (let pass = 0; pass < PASSES; pass++) {
    const seen = await multiply(turned, transpose(basis));
    basis = orthonormal(await multiply(d, transpose(seen)));
  }
  return basis;
}
