/** Linear map from latents to RGB, for previews without a network. */
import { solve } from "../linalg/index.js";
import { type FloatTensor, matrix, type RgbImage, resizeBicubic } from "../tensor/index.js";

/** rgb = bias + Σ weights[c] · latent channel c, in −1…1. */
export interface RgbFit {
  readonly weights: readonly (readonly number[])[];
  readonly bias: readonly number[];
}

/** Map of SDXL's autoencoder, as published with ComfyUI's latent formats. */
export const SDXL_FIT: RgbFit = {
  weights: [
    [0.3651, 0.4232, 0.4341],
    [-0.2533, -0.0042, 0.1068],
    [0.1076, 0.1111, -0.0362],
    [-0.3165, -0.2492, -0.2188],
  ],
  bias: [0.1084, -0.0175, -0.0011],
};

/** Fits a map from latents [1, C, h, w] to their decoded images, by least squares over all latent pixels. */
export function fitRgb(latents: readonly FloatTensor[], images: readonly RgbImage[]): RgbFit {
  const channels = latents[0]?.shape[1] ?? 0;
  const n = channels + 1;
  const gram = matrix(n, n);
  const right = matrix(n, 3);
  for (const [i, latent] of latents.entries()) {
    const [, , height = 1, width = 1] = latent.shape;
    const image = images[i];
    if (!image) continue;
    const small = resizeBicubic(image, width, height);
    const plane = height * width;
    for (let p = 0; p < plane; p++) {
      const row = Array.from({ length: n }, (_, c) => (c < channels ? (latent.data[c * plane + p] ?? 0) : 1));
      for (const [a, x] of row.entries()) {
        for (const [b, y] of row.entries()) add(gram.data, a * n + b, x * y);
        for (let k = 0; k < 3; k++) add(right.data, 3 * a + k, x * ((small.data[3 * p + k] ?? 0) / 127.5 - 1));
      }
    }
  }
  // Small ridge term: a constant channel gets no weight instead of a huge one.
  for (let a = 0; a < n; a++) add(gram.data, a * (n + 1), 1e-6 * (gram.data[a * (n + 1)] ?? 0) + 1e-9);
  const { data } = solve(gram, right);
  const weights = Array.from({ length: n }, (_, a) => [...data.subarray(3 * a, 3 * a + 3)]);
  return { weights: weights.slice(0, channels), bias: weights[channels] ?? [0, 0, 0] };
}

/** Applies a map to latents [1, C, h, w]; the image has h × w pixels. */
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

function add(sums: Float64Array, i: number, value: number): void {
  sums[i] = (sums[i] ?? 0) + value;
}
