/** Latents as tokens of 2 × 2 patches, and back. */
import { type Builder, known, type Value } from "../graph/index.js";
import { type FloatTensor, float, stack } from "../tensor/index.js";
import type { Conditioning, DenoiserCall } from "./denoiser.js";

/** Side of a patch in latents. */
export const PATCH = 2;

/** Order of the values of a patch: (row, column, channel) in Z-Image, (channel, row, column) in FLUX.1. */
export type PatchOrder = "channel last" | "channel first";

/** x [B, C, H, W] → [B, H W / 4, 4 C]; patches are in row-major order. */
export function patches(g: Builder, x: Value, order: PatchOrder): Value {
  const [batch = 1, channels, height, width] = x.shape;
  const [rows, columns] = [known(height) / PATCH, known(width) / PATCH];
  const split = g.reshape(x, [batch, known(channels), rows, PATCH, columns, PATCH]);
  const turned = g.transpose(split, order === "channel last" ? [0, 2, 4, 3, 5, 1] : [0, 2, 4, 1, 3, 5]);
  return g.reshape(turned, [batch, rows * columns, PATCH * PATCH * known(channels)]);
}

/** The inverse of `patches`: x [B, rows columns, 4 C] → [B, C, 2 rows, 2 columns]. */
export function unfolded(g: Builder, x: Value, rows: number, columns: number, order: PatchOrder): Value {
  const batch = x.shape[0] ?? 1;
  const channels = known(x.shape[2]) / PATCH ** 2;
  const last = order === "channel last";
  const values = last ? [PATCH, PATCH, channels] : [channels, PATCH, PATCH];
  const split = g.reshape(x, [batch, rows, columns, ...values]);
  const turned = g.transpose(split, last ? [0, 5, 1, 3, 2, 4] : [0, 3, 1, 4, 2, 5]);
  return g.reshape(turned, [batch, channels, PATCH * rows, PATCH * columns]);
}

/** Masks [B, L + N] of the keys of each sample: that of its text, where it has one, then all N image tokens of the latents. */
export const keyMasks = ({ conditioning, latents }: DenoiserCall): FloatTensor =>
  stack(conditioning.map((c, i) => keyMask(c, latents[i])));

function keyMask({ streams, masks }: Conditioning, latents: FloatTensor | undefined): FloatTensor {
  const tokens = streams["text"]?.shape[1] ?? 0;
  const [, , height = 0, width = 0] = latents?.shape ?? [];
  const mask = new Float32Array(tokens + (height * width) / PATCH ** 2).fill(1);
  const ofText = masks?.["text"];
  if (ofText) mask.set(ofText.data);
  return float([1, mask.length], mask);
}
