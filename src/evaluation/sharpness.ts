/** Sharpness of an image, without a reference. */
import type { RgbImage } from "../tensor/index.js";

/**
 * Mean difference of neighbouring pixels along x plus that along y, in units of −1…1: 0 for one colour; blurred images have less of it than
 * the images of the same world. Compare it with that of real images, or of the base: more is not better.
 */
export function sharpness({ width, height, data }: RgbImage): number {
  const row = 3 * width;
  let [across, down] = [0, 0];
  for (let i = 0; i < data.length; i++) {
    const value = data[i] ?? 0;
    if (i % row < row - 3) across += Math.abs((data[i + 3] ?? 0) - value);
    if (i + row < data.length) down += Math.abs((data[i + row] ?? 0) - value);
  }
  const mean = (sum: number, count: number) => (count === 0 ? 0 : sum / count / 127.5);
  return mean(across, 3 * (width - 1) * height) + mean(down, row * (height - 1));
}
