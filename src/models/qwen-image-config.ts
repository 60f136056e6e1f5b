/** The config of a Qwen-Image transformer (diffusers' QwenImageTransformer2DModel), parsed and checked. */
import { z } from "zod";
import { FileError } from "../errors.js";
import { type ConfigFile, integer, oneOf, parseConfig } from "./config.js";
import { PATCH } from "./patches.js";
import { checkRotaryAxes, type RotaryConfig } from "./rotary.js";
import type { StreamsConfig } from "./streams.js";

/** A parsed config. */
export interface QwenImageConfig extends StreamsConfig {
  /** Channels of the latents, of which 2 × 2 are a token. */
  readonly channels: number;
  /** Features of an image token that the network reads. */
  readonly tokenFeatures: number;
  readonly layers: number;
  readonly textFeatures: number;
  readonly rotary: RotaryConfig;
}

/** A key that the variant for text alone has as false, and what sets it. */
const variant = (about: string) => z.literal([false, null], { error: `false; ${about} sets it` }).nullish();

const schema = z.object({
  patch_size: oneOf([PATCH], PATCH),
  in_channels: integer().default(64),
  out_channels: integer().nullish(),
  num_layers: integer().default(60),
  attention_head_dim: integer().default(128),
  num_attention_heads: integer().default(24),
  joint_attention_dim: integer().default(3584),
  guidance_embeds: variant("a network that embeds the guidance scale"),
  axes_dims_rope: z.array(integer()).length(3, { error: "three integers" }).default([16, 56, 56]),
  zero_cond_t: variant("Qwen-Image-Edit, which reads images,"),
  use_additional_t_cond: variant("Qwen-Image-Layered, which separates images into layers,"),
  use_layer3d_rope: variant("Qwen-Image-Layered, which separates images into layers,"),
});

/** Base of the frequencies of the rotary embedding, and epsilon of the norms: the same in all configs. */
const THETA = 10_000;
const EPSILON = 1e-6;

/** Parses a config. @throws UnsupportedConfigError naming the key; FileError where the sizes contradict each other */
export function parseQwenImageConfig(source: ConfigFile): QwenImageConfig {
  const c = parseConfig(schema, source);
  checkRotaryAxes(source, c.axes_dims_rope, c.attention_head_dim);
  const channels = c.out_channels ?? 16;
  if (c.in_channels !== channels * PATCH ** 2) {
    throw new FileError(
      source.file,
      `in_channels ${c.in_channels} is not ${channels * PATCH ** 2}, 2 × 2 latents of out_channels ${channels}: the network reads more than latents`,
    );
  }
  return {
    channels,
    tokenFeatures: c.in_channels,
    features: c.num_attention_heads * c.attention_head_dim,
    heads: c.num_attention_heads,
    epsilon: EPSILON,
    bias: true,
    layers: c.num_layers,
    textFeatures: c.joint_attention_dim,
    rotary: { axes: c.axes_dims_rope, theta: THETA, product: "float32" },
  };
}
