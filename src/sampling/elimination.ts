/** Small systems of linear equations, by elimination in double precision. */

/** Solves A X = B by Gauss–Jordan elimination with row pivots. A [n, n], B [n, m] → X [n, m]. */
export function solve(a: readonly (readonly number[])[], b: readonly (readonly number[])[]): number[][] {
  const rows = a.map((row, i) => [...row, ...(b[i] ?? [])]);
  const n = rows.length;
  for (let p = 0; p < n; p++) {
    const best = rows
      .slice(p)
      .reduce((k, row, j) => (Math.abs(row[p] ?? 0) > Math.abs(rows[k]?.[p] ?? 0) ? p + j : k), p);
    const [pivot = [], other = []] = [rows[best], rows[p]];
    rows[p] = pivot;
    if (best !== p) rows[best] = other;
    for (const [i, row] of rows.entries()) {
      if (i === p) continue;
      const factor = (row[p] ?? 0) / (pivot[p] ?? 1);
      rows[i] = row.map((value, j) => value - factor * (pivot[j] ?? 0));
    }
  }
  return rows.map((row, i) => row.slice(n).map((value) => value / (row[i] ?? 1)));
}
