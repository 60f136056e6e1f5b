/** Features of an image without a network: the mean colours of a grid of its parts. */
import type { RgbImage } from "../tensor/index.js";

/** Parts on each side of the grid. */
const SIDE = 16;

/** Mean colours of 16×16 parts of an image, 0…1: [768]. Images of one size have comparable features. */
export function pixelFeatures({ width, height, data }: RgbImage): Float32Array {
  const sums = new Float64Array(SIDE * SIDE * 3);
  const counts = new Float64Array(SIDE * SIDE);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const part = Math.floor((y * SIDE) / height) * SIDE + Math.floor((x * SIDE) / width);
      counts[part] = (counts[part] ?? 0) + 1;
      for (let c = 0; c < 3; c++) sums[part * 3 + c] = (sums[part * 3 + c] ?? 0) + (data[(y * width + x) * 3 + c] ?? 0);
    }
  }
  return Float32Array.from(sums, (s, i) => s / Math.max(1, counts[Math.floor(i / 3)] ?? 0) / 255);
}
