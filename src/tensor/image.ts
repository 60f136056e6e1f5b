/** 8-bit RGB images, and their conversion to and from model tensors (−1…1, channels first). */
import { roundHalfEven } from "./rounding.js";
import { type FloatTensor, float } from "./tensor.js";

/** 8-bit RGB image, row-major from the top, three bytes per pixel. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/**
 * Image `i` of a batch x [B, C, H, W] in −1…1 → bytes: round(255 · clamp(x / 2 + 0.5, 0, 1)) in float32, as diffusers'
 * VaeImageProcessor. With fewer than three channels the last one is repeated.
 */
export function toRgb(x: FloatTensor, i = 0): RgbImage {
  const [, channels = 3, height = 0, width = 0] = x.shape;
  const plane = height * width;
  const data = new Uint8Array(plane * 3);
  for (let c = 0; c < 3; c++) {
    const from = (i * channels + Math.min(c, channels - 1)) * plane;
    const values = x.data.subarray(from, from + plane);
    for (let p = 0; p < plane; p++) {
      const v = Math.fround(Math.fround((values[p] ?? 0) / 2) + 0.5);
      const scaled = Math.fround(Math.min(1, Math.max(0, v)) * 255);
      data[p * 3 + c] = roundHalfEven(scaled);
    }
  }
  return { width, height, data };
}

/** Image → [1, 3, H, W], (v / 255 − mean) / std per channel. The default mean and std map bytes to −1…1. */
export function fromRgb(
  image: RgbImage,
  mean: readonly number[] = [0.5, 0.5, 0.5],
  std: readonly number[] = [0.5, 0.5, 0.5],
): FloatTensor {
  const plane = image.width * image.height;
  const data = new Float32Array(3 * plane);
  for (let c = 0; c < 3; c++) {
    for (let p = 0; p < plane; p++) {
      data[c * plane + p] = ((image.data[p * 3 + c] ?? 0) / 255 - (mean[c] ?? 0)) / (std[c] ?? 1);
    }
  }
  return float([1, 3, image.height, image.width], data);
}
