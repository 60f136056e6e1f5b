/** Kernel distance of two sets of features (KID), of all images and of those of some prompts. */
import { type Matrix, type Product, plainProduct, rowsOf } from "../tensor/index.js";

/** (x·y / d + 1)³ of all rows of x [n, d] and y [m, d]: [n · m]. */
const kernelOf = async (x: Matrix, y: Matrix, multiply: Product): Promise<Float64Array> =>
  (await multiply(x, y)).data.map((v) => (v / x.columns + 1) ** 3);

/** Sums of a kernel k [n · m] over blocks: [owners of rows][owners of columns]. */
function blocks(k: Float64Array, rows: readonly number[], columns: readonly number[], size: readonly [number, number]) {
  const sums = Array.from({ length: size[0] }, () => new Float64Array(size[1]));
  for (const [i, r] of rows.entries()) {
    const own = sums[r];
    if (!own) continue;
    for (const [j, c] of columns.entries()) own[c] = (own[c] ?? 0) + (k[i * columns.length + j] ?? 0);
  }
  return sums;
}

/** Mean kernel of two different features of a set, for sets that many are compared with. */
const known = new WeakMap<readonly Float32Array[], Promise<number>>();

function within(b: readonly Float32Array[], multiply: Product): Promise<number> {
  const mean = async () => {
    const x = rowsOf(b);
    const k = await kernelOf(x, x, multiply);
    return k.reduce((s, v, i) => (i % (x.rows + 1) === 0 ? s : s + v), 0) / (x.rows * (x.rows - 1));
  };
  const found = known.get(b) ?? mean();
  known.set(b, found);
  return found;
}

/**
 * Kernel Inception distance (Bińkowski et al. 2018): unbiased squared MMD with the kernel (x·y / d + 1)³ of features `groups` [g][n][d], such
 * as those of the images of each prompt, and b [m][d]. The kernel is computed once, for the distance of any of the groups. May be negative for
 * similar sets.
 * @returns the distance of the groups with these indices; NaN for fewer than two features
 */
export async function kernelDistances(
  groups: readonly (readonly Float32Array[])[],
  b: readonly Float32Array[],
  multiply: Product = plainProduct,
): Promise<(which: readonly number[]) => number> {
  const owners = groups.flatMap((own, g) => own.map(() => g));
  const [x, y] = [rowsOf(groups.flat()), rowsOf(b)];
  const count = groups.length;
  const k = await kernelOf(x, x, multiply);
  const own = blocks(k, owners, owners, [count, count]);
  const same = new Float64Array(count);
  for (const [i, g] of owners.entries()) same[g] = (same[g] ?? 0) + (k[i * (x.rows + 1)] ?? 0);
  const cross = blocks(await kernelOf(x, y, multiply), owners, Array<number>(y.rows).fill(0), [count, 1]);
  const real = await within(b, multiply);
  return (which) => {
    const sum = (of: (g: number) => number) => which.reduce((s, g) => s + of(g), 0);
    const n = sum((g) => groups[g]?.length ?? 0);
    const inside = sum((g) => sum((h) => own[g]?.[h] ?? 0) - (same[g] ?? 0));
    return n < 2 ? Number.NaN : inside / (n * (n - 1)) + real - (2 * sum((g) => cross[g]?.[0] ?? 0)) / (n * y.rows);
  };
}

/** Kernel distance of all features a [n][d] and b [m][d]. */
export const kernelDistance = async (
  a: readonly Float32Array[],
  b: readonly Float32Array[],
  multiply: Product = plainProduct,
): Promise<number> => (await kernelDistances([a], b, multiply))([0]);
