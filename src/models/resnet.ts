/** The residual block that UNet and autoencoder share (diffusers' ResnetBlock2D). */
import { type Builder, known, type Value } from "../graph/index.js";
import { conv, groupNorm, linear, perChannel, type Weights } from "./layers.js";

export interface ResnetOptions {
  readonly channels: number;
  readonly groups: number;
  readonly epsilon: number;
  /** Time embedding after its activation [B, E]; the autoencoder has none. */
  readonly temb?: Value;
}

/**
 * Two 3×3 convolutions, with the time embedding added between them where there is one.
 * x [B, C, H, W] → [B, channels, H, W]. Ho et al. 2020, appendix B.
 */
export function resnet(g: Builder, w: Weights, x: Value, { channels, groups, epsilon, temb }: ResnetOptions): Value {
  let h = conv(g, w.at("conv1"), g.silu(groupNorm(g, w.at("norm1"), x, groups, epsilon)), channels);
  if (temb) h = g.add(h, perChannel(g, linear(g, w.at("time_emb_proj"), temb, channels)));
  h = conv(g, w.at("conv2"), g.silu(groupNorm(g, w.at("norm2"), h, groups, epsilon)), channels);
  return g.add(known(x.shape[1]) === channels ? x : conv(g, w.at("conv_shortcut"), x, channels, { kernel: 1 }), h);
}
