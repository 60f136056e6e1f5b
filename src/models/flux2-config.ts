/** The config of a FLUX.2 transformer (diffusers' Flux2Transformer2DModel), parsed and checked. */
import { z } from "zod";
import { FileError } from "../errors.js";
import { type ConfigFile, integer, oneOf, parseConfig } from "./config.js";
import { checkRotaryAxes, type RotaryConfig } from "./rotary.js";

/** A parsed config. */
export interface Flux2Config {
  /** Channels of the latents, which are folded 2 × 2. */
  readonly channels: number;
  /** Width of the tokens, D. */
  readonly features: number;
  /** Blocks with two streams, and with one. */
  readonly doubleLayers: number;
  readonly singleLayers: number;
  readonly heads: number;
  /** Features inside the feed-forward layers. */
  readonly hidden: number;
  readonly textFeatures: number;
  /** Features of the sinusoidal embedding of the timestep. */
  readonly timeFeatures: number;
  /** The guidance scale is embedded (FLUX.2 dev). */
  readonly embedsGuidance: boolean;
  readonly epsilon: number;
  /** No layer has a bias. */
  readonly bias: false;
  readonly rotary: RotaryConfig;
}

const schema = z.object({
  patch_size: oneOf([1], 1),
  in_channels: integer().default(128),
  out_channels: integer().nullish(),
  num_layers: integer().default(8),
  num_single_layers: integer().default(48),
  attention_head_dim: integer().default(128),
  num_attention_heads: integer().default(48),
  joint_attention_dim: integer().default(15360),
  timestep_guidance_channels: integer().default(256),
  mlp_ratio: z.number().positive().default(3),
  axes_dims_rope: z.array(integer()).length(4, { error: "four integers" }).default([32, 32, 32, 32]),
  rope_theta: z.number().positive().default(2000),
  eps: z.number().positive().default(1e-6),
  guidance_embeds: oneOf([true, false], true),
});

/** Parses a config. @throws UnsupportedConfigError naming the key; FileError where the sizes contradict each other */
export function parseFlux2Config(source: ConfigFile): Flux2Config {
  const c = parseConfig(schema, source);
  checkRotaryAxes(source, c.axes_dims_rope, c.attention_head_dim);
  const out = c.out_channels ?? c.in_channels;
  if (out !== c.in_channels) {
    throw new FileError(source.file, `out_channels ${out} differs from in_channels ${c.in_channels}`);
  }
  const features = c.num_attention_heads * c.attention_head_dim;
  return {
    channels: c.in_channels,
    features,
    doubleLayers: c.num_layers,
    singleLayers: c.num_single_layers,
    heads: c.num_attention_heads,
    hidden: Math.trunc(features * c.mlp_ratio),
    textFeatures: c.joint_attention_dim,
    timeFeatures: c.timestep_guidance_channels,
    embedsGuidance: c.guidance_embeds,
    epsilon: c.eps,
    bias: false,
    rotary: { axes: c.axes_dims_rope, theta: c.rope_theta, product: "float64" },
  };
}
