/** Tiles of feature maps and images: division of a size into tiles, crop, paste, and group statistics. Independent of models. */
import { type FloatTensor, float } from "../tensor/index.js";

/** A rectangle of a map, in the map's pixels. It may extend beyond the map. */
export interface Tile {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** A map with one array per channel [height · width], so that channels can be freed and reused one by one. */
export interface Planes {
  readonly height: number;
  readonly width: number;
  readonly channels: readonly Float32Array[];
  /** Sum and sum of squares of each channel, over all pixels pasted. */
  readonly sums: Float64Array;
  readonly squares: Float64Array;
}

/**
 * Adjacent tiles of equal size, at most `side` long, that cover height × width. The last of a row or column may extend beyond the edge; the
 * tile size is balanced to keep that part small.
 */
export function tilesOf(height: number, width: number, side: number): Tile[] {
  const [rows, columns] = [Math.ceil(height / side), Math.ceil(width / side)];
  const [h, w] = [Math.ceil(height / rows), Math.ceil(width / columns)];
  return Array.from({ length: rows * columns }, (_, i) => ({
    top: Math.floor(i / columns) * h,
    left: (i % columns) * w,
    height: h,
    width: w,
  })).filter(({ top, left }) => top < height && left < width);
}

/** The corresponding tile of a map that is `factor` times as large. */
export const scaled = ({ top, left, height, width }: Tile, factor: number): Tile => ({
  top: top * factor,
  left: left * factor,
  height: height * factor,
  width: width * factor,
});

/** A tile with a border of `border` pixels on every side. */
export const expanded = ({ top, left, height, width }: Tile, border: number): Tile => ({
  top: top - border,
  left: left - border,
  height: height + 2 * border,
  width: width + 2 * border,
});

/**
 * Window around a tile, moved inside height × width, with at least `margin` pixels between the tile and each edge of the window that is not
 * an edge of the map. A network whose receptive field has a radius of at most `margin` gives the same result for the tile as for the whole
 * map. Tiles of equal size get windows of equal size.
 */
export function windowAround(tile: Tile, height: number, width: number, margin: number): Tile {
  const span = (from: number, length: number, whole: number) => {
    const size = Math.min(whole, length + 2 * margin);
    return { at: Math.max(0, Math.min(from - margin, whole - size)), size };
  };
  const [y, x] = [span(tile.top, tile.height, height), span(tile.left, tile.width, width)];
  return { top: y.at, left: x.at, height: y.size, width: x.size };
}

/** Planes of `count` channels. Arrays in `reuse` are used, with their values, before new ones of zeros. */
export function planes(height: number, width: number, count: number, reuse: readonly Float32Array[] = []): Planes {
  const channels = Array.from({ length: count }, (_, c) => reuse[c] ?? new Float32Array(height * width));
  return { height, width, channels, sums: new Float64Array(count), squares: new Float64Array(count) };
}

/** x [1, C, H, W] → planes. */
export function toPlanes(x: FloatTensor): Planes {
  const [, count = 1, height = 1, width = 1] = x.shape;
  const whole = planes(height, width, count);
  paste(whole, { top: 0, left: 0, height, width }, x);
  return whole;
}

/** Planes → [1, C, H, W]. */
export function fromPlanes({ height, width, channels }: Planes): FloatTensor {
  const x = float([1, channels.length, height, width]);
  for (const [c, plane] of channels.entries()) x.data.set(plane, c * height * width);
  return x;
}

/** Tile of a map as [1, C, h, w]; zeros beyond the edges. */
export function crop({ height, width, channels }: Planes, tile: Tile): FloatTensor {
  const piece = float([1, channels.length, tile.height, tile.width]);
  const left = Math.max(0, tile.left);
  const right = Math.min(width, tile.left + tile.width);
  const bottom = Math.min(height, tile.top + tile.height);
  for (const [c, plane] of channels.entries()) {
    for (let y = Math.max(0, tile.top); y < bottom; y++) {
      const at = (c * tile.height + y - tile.top) * tile.width + left - tile.left;
      piece.data.set(plane.subarray(y * width + left, y * width + right), at);
    }
  }
  return piece;
}

/** Mean of a tile for each channel, and sum of the squared distances from it, [1, C] each. */
export interface Moments {
  readonly mean: FloatTensor;
  readonly spread: FloatTensor;
}

/**
 * Writes x [1, C, h, w] to a tile of a map and adds it to the sums. Values beyond the edges are dropped.
 * @param moments of x, which are computed here where they are not given, and where values are dropped
 */
export function paste(into: Planes, tile: Tile, x: FloatTensor, moments: Moments | null = null): void {
  const { height, width, channels, sums, squares } = into;
  const [bottom, right] = [Math.min(height, tile.top + tile.height), Math.min(width, tile.left + tile.width)];
  const inside = bottom - tile.top === tile.height && right - tile.left === tile.width;
  for (const [c, plane] of channels.entries()) {
    let [sum, square] = [0, 0];
    for (let y = tile.top; y < bottom; y++) {
      const from = (c * tile.height + y - tile.top) * tile.width;
      const row = x.data.subarray(from, from + right - tile.left);
      plane.set(row, y * width + tile.left);
      if (moments && inside) continue;
      for (const v of row) {
        sum += v;
        square += v * v;
      }
    }
    if (moments && inside) {
      const mean = moments.mean.data[c] ?? 0;
      const count = tile.height * tile.width;
      [sum, square] = [count * mean, (moments.spread.data[c] ?? 0) + count * mean * mean];
    }
    sums[c] = (sums[c] ?? 0) + sum;
    squares[c] = (squares[c] ?? 0) + square;
  }
}

/** Mask [1, 1, h, w] of a tile: 1 inside the map, 0 beyond its edges. */
export function insideMask(height: number, width: number, tile: Tile): FloatTensor {
  const mask = float([1, 1, tile.height, tile.width]);
  for (let y = 0; y < tile.height; y++) {
    const row = tile.top + y;
    if (row < 0 || row >= height) continue;
    const from = y * tile.width + Math.max(0, -tile.left);
    mask.data.fill(1, from, y * tile.width + Math.min(tile.width, width - tile.left));
  }
  return mask;
}

/** Group statistics of a map for each channel: mean and √(variance + epsilon) of the channel's group, [1, C, 1, 1] each. */
export function statistics({ height, width, channels, sums, squares }: Planes, groups: number, epsilon: number) {
  const count = channels.length;
  const size = count / groups;
  const n = size * height * width;
  const mean = float([1, count, 1, 1]);
  const deviation = float([1, count, 1, 1]);
  const total = (of: Float64Array, group: number) =>
    of.subarray(group * size, (group + 1) * size).reduce((a, b) => a + b, 0);
  for (let group = 0; group < groups; group++) {
    const m = total(sums, group) / n;
    const variance = Math.max(0, total(squares, group) / n - m * m);
    mean.data.fill(m, group * size, (group + 1) * size);
    deviation.data.fill(Math.sqrt(variance + epsilon), group * size, (group + 1) * size);
  }
  return { mean, deviation };
}
