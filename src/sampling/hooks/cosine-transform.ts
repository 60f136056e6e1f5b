/** Orthonormal two-dimensional cosine transform (DCT-II) of latents, by products with the matrices of both axes. */
import { type FloatTensor, float } from "../../tensor/index.js";

/** Rows k of the orthonormal DCT-II over n points: √(2/n) cos(π (i + ½) k / n), 1/√n for k = 0. [n · n], row-major. */
function basis(n: number): Float64Array {
  const rows = new Float64Array(n * n);
  for (let k = 0; k < n; k++) {
    const scale = Math.sqrt((k === 0 ? 1 : 2) / n);
    for (let i = 0; i < n; i++) rows[k * n + i] = scale * Math.cos((Math.PI * (i + 0.5) * k) / n);
  }
  return rows;
}

/** The transform of latents [B, C, h, w] over their last two axes, and its inverse. */
export function cosines(h: number, w: number) {
  const [down, across] = [basis(h), basis(w)];
  const transform = (x: FloatTensor, inverse: boolean): FloatTensor => {
    const out = new Float32Array(x.data.length);
    const half = new Float64Array(h * w);
    const at = (rows: Float64Array, n: number, k: number, i: number) => rows[inverse ? i * n + k : k * n + i] ?? 0;
    for (let plane = 0; plane < out.length; plane += h * w) {
      for (let y = 0; y < h; y++) {
        for (let v = 0; v < w; v++) {
          let sum = 0;
          for (let i = 0; i < w; i++) sum += at(across, w, v, i) * (x.data[plane + y * w + i] ?? 0);
          half[y * w + v] = sum;
        }
      }
      for (let u = 0; u < h; u++) {
        for (let v = 0; v < w; v++) {
          let sum = 0;
          for (let y = 0; y < h; y++) sum += at(down, h, u, y) * (half[y * w + v] ?? 0);
          out[plane + u * w + v] = sum;
        }
      }
    }
    return float(x.shape, out);
  };
  return { forward: (x: FloatTensor) => transform(x, false), backward: (x: FloatTensor) => transform(x, true) };
}

/** A function of the frequency √((u / h)² + (v / w)²) at every coefficient, [h · w]. */
export const radial = (h: number, w: number, of: (frequency: number) => number): Float64Array =>
  Float64Array.from({ length: h * w }, (_, i) => of(Math.hypot(Math.floor(i / w) / h, (i % w) / w)));
