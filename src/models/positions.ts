/** Resamples position embeddings from one grid of patches to another: weights of a bicubic interpolation. */
import { cubic } from "../tensor/index.js";

/** Options of `resampleGrid`. */
export interface GridOptions {
  /** Added to the target side when the scale is computed; 0.1 in the original code of DINO and DINOv2. */
  readonly offset: number;
  /** Widen the filter for downsampling. */
  readonly antialias: boolean;
}

/** Weights along one axis [to, from]: torch.nn.functional.interpolate, bicubic, align_corners=False. */
function along(from: number, to: number, { offset, antialias }: GridOptions): Float64Array[] {
  const scale = from / (to + offset);
  return Array.from({ length: to }, (_, i) => {
    const row = new Float64Array(from);
    if (antialias) {
      // PyTorch's antialiased filter equals Pillow's, with a = −0.5.
      const stretch = Math.max(1, scale);
      const center = (i + 0.5) * scale;
      const first = Math.max(0, Math.trunc(center - 2 * stretch + 0.5));
      const last = Math.min(from, Math.trunc(center + 2 * stretch + 0.5));
      for (let k = first; k < last; k++) row[k] = cubic((k - center + 0.5) / stretch);
      const sum = row.reduce((s, v) => s + v, 0);
      return row.map((v) => v / sum);
    }
    const center = (i + 0.5) * scale - 0.5;
    const base = Math.floor(center);
    for (let k = base - 1; k <= base + 2; k++) {
      const at = Math.min(from - 1, Math.max(0, k));
      row[at] = (row[at] ?? 0) + cubic(k - center, -0.75);
    }
    return row;
  });
}

/** Weights from a grid of from × from to one of to × to, both row-major: [to², from²]. */
export function resampleGrid(from: number, to: number, options: GridOptions): Float32Array {
  const axis = along(from, to, options);
  const out = new Float32Array(to * to * from * from);
  for (const [y, rows] of axis.entries()) {
    for (const [x, columns] of axis.entries()) {
      const start = (y * to + x) * from * from;
      for (const [i, a] of rows.entries()) {
        if (a !== 0) for (const [j, b] of columns.entries()) out[start + i * from + j] = a * b;
      }
    }
  }
  return out;
}
