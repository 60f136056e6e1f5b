/** Residual block of the UNet and of the autoencoder (diffusers' ResnetBlock2D). */
import { type Builder, known, type Value } from "../graph/index.js";
import { conv, groupNorm, linear, perChannel, type Weights } from "./layers.js";

/** Options of `resnet`. */
export interface ResnetOptions {
  /** Output channels. */
  readonly channels: number;
  /** Groups and epsilon of the group norms. */
  readonly groups: number;
  readonly epsilon: number;
  /** Activated time embedding [B, E]; the autoencoder has none. */
  readonly temb?: Value;
}

/**
 * Residual block of two 3×3 convolutions, with the time embedding, if any, added between them (Ho et al. 2020, appendix B).
 * x [B, C, H, W] → [B, channels, H, W].
 */
export function resnet(g: Builder, w: Weights, x: Value, { channels, groups, epsilon, temb }: ResnetOptions): Value {
  let h = conv(g, w.at("conv1"), g.silu(groupNorm(g, w.at("norm1"), x, groups, epsilon)), channels);
  if (temb) h = g.add(h, perChannel(g, linear(g, w.at("time_emb_proj"), temb, channels)));
  h = conv(g, w.at("conv2"), g.silu(groupNorm(g, w.at("norm2"), h, groups, epsilon)), channels);
  return g.add(known(x.shape[1]) === channels ? x : conv(g, w.at("conv_shortcut"), x, channels, { kernel: 1 }), h);
}
