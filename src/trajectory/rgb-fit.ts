/** A straight line from latents to colours: three numbers of every latent pixel, which show a picture without any network. */
import { type FloatTensor, type RgbImage, resizeBicubic } from "../tensor/index.js";

/** colour = bias + Σ weights[c] · latent channel c; colours in −1…1. */
export interface RgbFit {
  readonly weights: readonly (readonly number[])[];
  readonly bias: readonly number[];
}

/** SDXL's autoencoder, as published with ComfyUI's latent formats. */
export const SDXL_FIT: RgbFit = {
  weights: [
    [0.3651, 0.4232, 0.4341],
    [-0.2533, -0.0042, 0.1068],
    [0.1076, 0.1111, -0.0362],
    [-0.3165, -0.2492, -0.2188],
  ],
  bias: [0.1084, -0.0175, -0.0011],
};

/** Fits latents [1, C, h, w] to the pictures a decoder made of them, by least squares over all latent pixels. */
export function fitRgb(latents: readonly FloatTensor[], images: readonly RgbImage[]): RgbFit {
  const channels = latents[0]?.shape[1] ?? 0;
  const n = channels + 1;
  const gram = Array.from({ length: n }, () => new Float64Array(n));
  const right = Array.from({ length: n }, () => new Float64Array(3));
  for (const [i, latent] of latents.entries()) {
    const [, , height = 1, width = 1] = latent.shape;
    const image = images[i];
    if (!image) continue;
    const small = resizeBicubic(image, width, height);
    const plane = height * width;
    for (let p = 0; p < plane; p++) {
      const row = Array.from({ length: n }, (_, c) => (c < channels ? (latent.data[c * plane + p] ?? 0) : 1));
      for (let a = 0; a < n; a++) {
        for (let b = 0; b < n; b++) add(gram[a], b, (row[a] ?? 0) * (row[b] ?? 0));
        for (let k = 0; k < 3; k++) add(right[a], k, (row[a] ?? 0) * ((small.data[3 * p + k] ?? 0) / 127.5 - 1));
      }
    }
  }
  // A breath of ridge: a silent channel has no say instead of a huge one.
  for (let a = 0; a < n; a++) add(gram[a], a, 1e-6 * (gram[a]?.[a] ?? 0) + 1e-9);
  const solved = solve(gram, right);
  return { weights: solved.slice(0, channels), bias: solved[channels] ?? [0, 0, 0] };
}

/** Latents [1, C, h, w] as a picture of h × w pixels. */
export function showRgb({ weights, bias }: RgbFit, { shape, data }: FloatTensor): RgbImage {
  const [, channels = 0, height = 0, width = 0] = shape;
  const plane = height * width;
  const pixels = new Uint8Array(3 * plane);
  for (let p = 0; p < plane; p++) {
    for (let k = 0; k < 3; k++) {
      let colour = bias[k] ?? 0;
      for (let c = 0; c < channels; c++) colour += (weights[c]?.[k] ?? 0) * (data[c * plane + p] ?? 0);
      pixels[3 * p + k] = Math.round(255 * Math.min(1, Math.max(0, colour / 2 + 0.5)));
    }
  }
  return { width, height, data: pixels };
}

function add(row: Float64Array | undefined, i: number, value: number): void {
  if (row) row[i] = (row[i] ?? 0) + value;
}

/** Solves A X = B for a small symmetric positive A by elimination with pivots; both are used up. */
function solve(a: Float64Array[], b: Float64Array[]): number[][] {
  const n = a.length;
  const at = (m: Float64Array[], i: number, j: number) => m[i]?.[j] ?? 0;
  for (let i = 0; i < n; i++) {
    let best = i;
    for (let r = i + 1; r < n; r++) if (Math.abs(at(a, r, i)) > Math.abs(at(a, best, i))) best = r;
    for (const m of [a, b]) {
      const [x, y] = [m[i], m[best]];
      if (x && y) [m[i], m[best]] = [y, x];
    }
    for (let r = 0; r < n; r++) {
      if (r === i) continue;
      const factor = at(a, r, i) / at(a, i, i);
      for (let j = i; j < n; j++) add(a[r], j, -factor * at(a, i, j));
      for (let k = 0; k < 3; k++) add(b[r], k, -factor * at(b, i, k));
    }
  }
  return Array.from({ length: n }, (_, i) => [0, 1, 2].map((k) => at(b, i, k) / at(a, i, i)));
}
