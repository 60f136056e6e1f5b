/** The config of a Stable Diffusion 3 transformer (diffusers' SD3Transformer2DModel), parsed and checked. */
import { z } from "zod";
import { FileError } from "../errors.js";
import { type ConfigFile, integer, oneOf, parseConfig } from "./config.js";
import { PATCH } from "./patches.js";
import type { StreamsConfig } from "./streams.js";

/** A parsed config. */
export interface Sd3Config extends StreamsConfig {
  /** Channels of the latents that the network reads, and of its prediction. */
  readonly channels: number;
  readonly predicted: number;
  /** Latent height and width that the network was trained for. */
  readonly side: number;
  readonly layers: number;
  readonly textFeatures: number;
  /** Features of the pooled text. */
  readonly pooledFeatures: number;
  /** Rows and columns of tokens that have a position embedding. */
  readonly positions: number;
  /** Blocks in which the image also attends to itself alone (Stable Diffusion 3.5 medium). */
  readonly dualLayers: readonly number[];
  /** Heads of queries and keys are normalised (Stable Diffusion 3.5). */
  readonly normsHeads: boolean;
}

const schema = z.object({
  sample_size: integer().default(128),
  patch_size: oneOf([PATCH], PATCH),
  in_channels: integer().default(16),
  out_channels: integer().nullish(),
  num_layers: integer().default(18),
  attention_head_dim: integer().default(64),
  num_attention_heads: integer().default(18),
  joint_attention_dim: integer().default(4096),
  caption_projection_dim: integer().default(1152),
  pooled_projection_dim: integer().default(2048),
  pos_embed_max_size: integer().default(96),
  dual_attention_layers: z.array(integer(0)).default([]),
  qk_norm: oneOf(["rms_norm", null], null),
});

/** Epsilon of the norms, the same in all configs. */
const EPSILON = 1e-6;

/** Parses a config. @throws UnsupportedConfigError naming the key; FileError where the sizes contradict each other */
export function parseSd3Config(source: ConfigFile): Sd3Config {
  const c = parseConfig(schema, source);
  const features = c.num_attention_heads * c.attention_head_dim;
  if (c.caption_projection_dim !== features) {
    throw new FileError(
      source.file,
      `caption_projection_dim ${c.caption_projection_dim} is not the width of the image tokens, ${features} (num_attention_heads × attention_head_dim)`,
    );
  }
  return {
    channels: c.in_channels,
    predicted: c.out_channels ?? c.in_channels,
    side: c.sample_size,
    features,
    heads: c.num_attention_heads,
    epsilon: EPSILON,
    bias: true,
    layers: c.num_layers,
    textFeatures: c.joint_attention_dim,
    pooledFeatures: c.pooled_projection_dim,
    positions: c.pos_embed_max_size,
    dualLayers: c.dual_attention_layers,
    normsHeads: c.qk_norm !== null,
  };
}
