/** The config of a FLUX.1 transformer (diffusers' FluxTransformer2DModel), parsed and checked. */
import { z } from "zod";
import { FileError } from "../errors.js";
import { type ConfigFile, integer, oneOf, parseConfig } from "./config.js";
import { PATCH } from "./patches.js";
import { checkRotaryAxes, type RotaryConfig } from "./rotary.js";
import type { StreamsConfig } from "./streams.js";

/** What the configs of FLUX.1 and of the networks made from it share. */
export interface FluxConfig extends StreamsConfig {
  /** Channels of the latents, of which 2 × 2 are a token. */
  readonly channels: number;
  /** Features of an image token that the network reads: more than those of the latents in variants that read images. */
  readonly tokenFeatures: number;
  /** Blocks with two streams, and with one. */
  readonly doubleLayers: number;
  readonly singleLayers: number;
  readonly textFeatures: number;
  readonly rotary: RotaryConfig;
}

/** A parsed config. */
export interface Flux1Config extends FluxConfig {
  /** Features of the pooled text. */
  readonly pooledFeatures: number;
  /** The guidance scale is embedded (FLUX.1-dev). */
  readonly embedsGuidance: boolean;
}

/** Keys that they share, with diffusers' defaults. */
export const fluxKeys = z.object({
  patch_size: oneOf([1], 1),
  in_channels: integer().default(64),
  out_channels: integer().nullish(),
  num_layers: integer().default(19),
  num_single_layers: integer().default(38),
  attention_head_dim: integer().default(128),
  num_attention_heads: integer().default(24),
  joint_attention_dim: integer().default(4096),
  axes_dims_rope: z.array(integer()).length(3, { error: "three integers" }).default([16, 56, 56]),
});

const schema = fluxKeys.extend({
  pooled_projection_dim: integer().default(768),
  guidance_embeds: oneOf([true, false], false),
});

/** Base of the frequencies of the rotary embedding, and epsilon of the norms: the same in all configs. */
const THETA = 10_000;
const EPSILON = 1e-6;

/** Reads the keys that they share. @throws FileError where the sizes contradict each other */
export function readFluxKeys(source: ConfigFile, c: z.infer<typeof fluxKeys>): FluxConfig {
  checkRotaryAxes(source, c.axes_dims_rope, c.attention_head_dim);
  const out = c.out_channels ?? c.in_channels;
  if (out % PATCH ** 2 !== 0) {
    throw new FileError(source.file, `${out} output channels are not those of 2 × 2 latents: expected a multiple of 4`);
  }
  return {
    channels: out / PATCH ** 2,
    tokenFeatures: c.in_channels,
    features: c.num_attention_heads * c.attention_head_dim,
    heads: c.num_attention_heads,
    epsilon: EPSILON,
    bias: true,
    doubleLayers: c.num_layers,
    singleLayers: c.num_single_layers,
    textFeatures: c.joint_attention_dim,
    rotary: { axes: c.axes_dims_rope, theta: THETA, product: "float64" },
  };
}

/** Parses a config. @throws UnsupportedConfigError naming the key; FileError where the sizes contradict each other */
export function parseFlux1Config(source: ConfigFile): Flux1Config {
  const c = parseConfig(schema, source);
  return {
    ...readFluxKeys(source, c),
    pooledFeatures: c.pooled_projection_dim,
    embedsGuidance: c.guidance_embeds,
  };
}
