/** The config of a SANA transformer (diffusers' SanaTransformer2DModel), parsed and checked. */
import { z } from "zod";
import { FileError } from "../errors.js";
import { type ConfigFile, integer, oneOf, parseConfig } from "./config.js";

/** A parsed config. */
export interface SanaConfig {
  /** Channels of the latents that the network reads, and of its prediction. */
  readonly channels: number;
  readonly predicted: number;
  /** Latent height and width that the network was trained for. */
  readonly side: number;
  /** Width of the tokens, D. */
  readonly features: number;
  readonly layers: number;
  /** Heads of the linear attention among image tokens. */
  readonly heads: number;
  /** Heads of the attention to the text, and the width of all of them together. */
  readonly crossHeads: number;
  readonly crossFeatures: number;
  readonly textFeatures: number;
  /** Channels inside the convolutions of a block, of which half are gates. */
  readonly hidden: number;
  /** Queries, keys and values of the linear attention have a bias. */
  readonly bias: boolean;
  /** Queries and keys are normalised, over all heads together. */
  readonly normalises: boolean;
  readonly epsilon: number;
  /** Positions are divided by this and embedded; null where the network has none. */
  readonly positionScale: number | null;
  /** Factor on 1000 σ before it is embedded. Networks that embed the guidance scale embed σ. */
  readonly timeScale: number;
  /** Factor on the guidance scale before it is embedded (SANA-Sprint); null where it is not an input. */
  readonly guidanceScale: number | null;
}

const schema = z.object({
  in_channels: integer().default(32),
  out_channels: integer().nullish(),
  num_attention_heads: integer().default(70),
  attention_head_dim: integer().default(32),
  num_layers: integer().default(20),
  num_cross_attention_heads: integer().default(20),
  cross_attention_head_dim: integer().default(112),
  cross_attention_dim: integer().default(2240),
  caption_channels: integer().default(2304),
  mlp_ratio: z.number().positive().default(2.5),
  attention_bias: oneOf([true, false], false),
  sample_size: integer().default(32),
  patch_size: oneOf([1], 1),
  norm_elementwise_affine: oneOf([false], false),
  norm_eps: z.number().positive().default(1e-6),
  interpolation_scale: z.number().positive().nullish(),
  guidance_embeds: oneOf([true, false], false),
  guidance_embeds_scale: z.number().default(0.1),
  qk_norm: oneOf(["rms_norm_across_heads", null], null),
  timestep_scale: z.number().default(1),
});

/** Parses a config. @throws UnsupportedConfigError naming the key; FileError where the sizes contradict each other */
export function parseSanaConfig(source: ConfigFile): SanaConfig {
  const c = parseConfig(schema, source);
  const features = c.num_attention_heads * c.attention_head_dim;
  if (c.cross_attention_dim !== features) {
    throw new FileError(
      source.file,
      `cross_attention_dim ${c.cross_attention_dim} is not the width of the text tokens, ${features} (num_attention_heads × attention_head_dim)`,
    );
  }
  return {
    channels: c.in_channels,
    predicted: c.out_channels ?? c.in_channels,
    side: c.sample_size,
    features,
    layers: c.num_layers,
    heads: c.num_attention_heads,
    crossHeads: c.num_cross_attention_heads,
    crossFeatures: c.num_cross_attention_heads * c.cross_attention_head_dim,
    textFeatures: c.caption_channels,
    hidden: 2 * Math.trunc(c.mlp_ratio * features),
    bias: c.attention_bias,
    normalises: c.qk_norm !== null,
    epsilon: c.norm_eps,
    positionScale: c.interpolation_scale ?? null,
    timeScale: c.timestep_scale,
    guidanceScale: c.guidance_embeds ? c.guidance_embeds_scale : null,
  };
}
