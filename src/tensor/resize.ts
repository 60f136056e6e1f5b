/** Image resizing equal to Pillow, clean-fid and TensorFlow 1, on which published measures depend. */
import type { RgbImage } from "./image.js";
import { type FloatTensor, float } from "./tensor.js";

/** Cubic convolution kernel with support 2 (Keys 1981); Pillow uses a = −0.5, PyTorch −0.75. */
export function cubic(x: number, a = -0.5): number {
  const t = Math.abs(x);
  if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
  return t < 2 ? (((t - 5) * t + 8) * t - 4) * a : 0;
}

interface Taps {
  readonly first: number;
  readonly weights: Float64Array;
}

/** Filter of each output position: its first input and normalised weights. Downscaling widens the filter (antialiasing). */
function taps(from: number, to: number): Taps[] {
  const scale = from / to;
  const stretch = Math.max(1, scale);
  const support = 2 * stretch;
  return Array.from({ length: to }, (_, i) => {
    const center = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - support + 0.5));
    const last = Math.min(from, Math.trunc(center + support + 0.5));
    const weights = Float64Array.from({ length: last - first }, (_, k) => cubic((k + first - center + 0.5) / stretch));
    const sum = weights.reduce((s, w) => s + w, 0);
    return { first, weights: weights.map((w) => w / sum) };
  });
}

/** Resizes to width × height, bicubic with antialiasing as Pillow: rows, then columns, rounded to bytes after each. */
export function resizeBicubic(image: RgbImage, width: number, height: number): RgbImage {
  const wide = width === image.width ? image : alongRows(image, taps(image.width, width), width);
  return height === wide.height ? wide : alongColumns(wide, taps(image.height, height), height);
}

function alongRows({ data, width: from, height }: RgbImage, columns: readonly Taps[], width: number): RgbImage {
  const out = new Uint8ClampedArray(width * height * 3);
  for (const [x, { first, weights }] of columns.entries()) {
    for (let y = 0; y < height; y++) {
      for (let c = 0; c < 3; c++) {
        out[(y * width + x) * 3 + c] = Math.floor(weightedSum(weights, data, (y * from + first) * 3 + c, 3) + 0.5);
      }
    }
  }
  return { width, height, data: new Uint8Array(out.buffer) };
}

function alongColumns({ data, width }: RgbImage, rows: readonly Taps[], height: number): RgbImage {
  const out = new Uint8ClampedArray(width * height * 3);
  for (const [y, { first, weights }] of rows.entries()) {
    for (let i = 0; i < width * 3; i++) {
      out[y * width * 3 + i] = Math.floor(weightedSum(weights, data, first * width * 3 + i, width * 3) + 0.5);
    }
  }
  return { width, height, data: new Uint8Array(out.buffer) };
}

/** Sum of weights times every `step`-th value from `at` on. A plain loop: it runs for every pixel, and an iterator takes several times as long. */
function weightedSum(weights: Float64Array, values: Uint8Array | Float32Array, at: number, step: number): number {
  let sum = 0;
  for (let k = 0; k < weights.length; k++) sum += (weights[k] ?? 0) * (values[at + k * step] ?? 0);
  return sum;
}

/** A side of an image whose shorter side becomes `size`. */
function sideOf(side: number, shorter: number, size: number): number {
  const scaled = side * (size / shorter);
  return scaled < size + 1e-9 ? size : Math.trunc(scaled);
}

/** Resizes the shorter side to `size` with `resizeBicubic`, then takes the centre crop size × size. */
export function resizeAndCrop(image: RgbImage, size: number): RgbImage {
  const shorter = Math.min(image.width, image.height);
  const resized = resizeBicubic(image, sideOf(image.width, shorter, size), sideOf(image.height, shorter, size));
  const [left, top] = [Math.floor((resized.width - size) / 2), Math.floor((resized.height - size) / 2)];
  const data = new Uint8Array(size * size * 3);
  for (let y = 0; y < size; y++) {
    const start = ((top + y) * resized.width + left) * 3;
    data.set(resized.data.subarray(start, start + size * 3), y * size * 3);
  }
  return { width: size, height: size, data };
}

/**
 * The transpose of `resizeAndCrop` without its rounding and clipping: a gradient towards the pixels of its result [1, 3, size, size] → towards those of
 * an image of width × height, [1, 3, height, width].
 */
export function resizeAndCropTransposed(gradient: FloatTensor, width: number, height: number): FloatTensor {
  const [, , , size = 1] = gradient.shape;
  const [wide, high] = [sideOf(width, Math.min(width, height), size), sideOf(height, Math.min(width, height), size)];
  const [left, top] = [Math.floor((wide - size) / 2), Math.floor((high - size) / 2)];
  const [columns, rows] = [tapsOf(width, wide), tapsOf(height, high)];
  const out = new Float32Array(3 * width * height);
  for (let c = 0; c < 3; c++) {
    const tall = new Float64Array(size * height);
    for (let y = 0; y < size; y++) {
      const { first, weights } = rows[top + y] ?? NOTHING;
      for (const [k, w] of weights.entries()) {
        for (let x = 0; x < size; x++) {
          const at = (first + k) * size + x;
          tall[at] = (tall[at] ?? 0) + w * (gradient.data[(c * size + y) * size + x] ?? 0);
        }
      }
    }
    for (let x = 0; x < size; x++) {
      const { first, weights } = columns[left + x] ?? NOTHING;
      for (const [k, w] of weights.entries()) {
        for (let y = 0; y < height; y++) {
          const at = (c * height + y) * width + first + k;
          out[at] = (out[at] ?? 0) + w * (tall[y * size + x] ?? 0);
        }
      }
    }
  }
  return float([1, 3, height, width], out);
}

const NOTHING: Taps = { first: 0, weights: new Float64Array() };

/** Filter of each output position; the identity where the size does not change, which Pillow leaves as it is. */
const tapsOf = (from: number, to: number): Taps[] =>
  from === to ? Array.from({ length: to }, (_, first) => ({ first, weights: Float64Array.of(1) })) : taps(from, to);

/** image → [1, 3, height, width] in 0…255 as clean-fid: bicubic like `resizeBicubic`, in float32, clipped but not rounded. */
export function resizeBicubicFloat(image: RgbImage, width: number, height: number): FloatTensor {
  const [columns, rows] = [taps(image.width, width), taps(image.height, height)];
  return byChannel(image, width, height, (plane) => {
    // Pillow skips an axis whose size does not change; the filter is the identity there.
    const wide = new Float32Array(width * image.height);
    for (const [x, { first, weights }] of columns.entries()) {
      for (let y = 0; y < image.height; y++)
        wide[y * width + x] = weightedSum(weights, plane, y * image.width + first, 1);
    }
    const out = new Float32Array(width * height);
    for (const [y, { first, weights }] of rows.entries()) {
      for (let x = 0; x < width; x++)
        out[y * width + x] = Math.min(255, Math.max(0, weightedSum(weights, wide, first * width + x, width)));
    }
    return out;
  });
}

/**
 * image → [1, 3, height, width] in 0…255 as TensorFlow 1: bilinear at source coordinate i · from / to, without a half-pixel
 * offset or antialiasing. The reference implementation of FID uses it.
 */
export function resizeBilinearTensorflow(image: RgbImage, width: number, height: number): FloatTensor {
  const axis = (from: number, to: number) => {
    const scale = Math.fround(from / to);
    return Array.from({ length: to }, (_, i) => {
      const at = Math.fround(i * scale);
      const low = Math.floor(at);
      return { low, high: Math.min(low + 1, from - 1), share: at - low };
    });
  };
  const [columns, rows] = [axis(image.width, width), axis(image.height, height)];
  return byChannel(image, width, height, (plane) => {
    const out = new Float32Array(width * height);
    for (const [x, { low, high, share }] of columns.entries()) {
      const along = (row: number) => {
        const left = plane[row * image.width + low] ?? 0;
        return left + ((plane[row * image.width + high] ?? 0) - left) * share;
      };
      for (let y = 0; y < height; y++) {
        const r = rows[y] ?? NOWHERE;
        const top = along(r.low);
        out[y * width + x] = top + (along(r.high) - top) * r.share;
      }
    }
    return out;
  });
}

const NOWHERE = { low: 0, high: 0, share: 0 };

/** Applies `resize` to each channel of an image: [1, 3, height, width]. */
function byChannel(
  { data }: RgbImage,
  width: number,
  height: number,
  resize: (plane: Float32Array) => Float32Array,
): FloatTensor {
  const out = new Float32Array(3 * width * height);
  for (let c = 0; c < 3; c++) {
    const plane = new Float32Array(data.length / 3);
    for (let i = 0; i < plane.length; i++) plane[i] = data[3 * i + c] ?? 0;
    out.set(resize(plane), c * width * height);
  }
  return float([1, 3, height, width], out);
}
