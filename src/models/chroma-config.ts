/** The config of a Chroma transformer (diffusers' ChromaTransformer2DModel), parsed and checked. */
import { z } from "zod";
import { FileError } from "../errors.js";
import { type ConfigFile, integer, oneOf, parseConfig } from "./config.js";
import { PATCH } from "./patches.js";
import { checkRotaryAxes, type RotaryConfig } from "./rotary.js";
import type { StreamsConfig } from "./streams.js";

/** A parsed config. */
export interface ChromaConfig extends StreamsConfig {
  /** Channels of the latents, of which 2 × 2 are a token. */
  readonly channels: number;
  /** Features of an image token that the network reads. */
  readonly tokenFeatures: number;
  /** Blocks with two streams, and with one. */
  readonly doubleLayers: number;
  readonly singleLayers: number;
  readonly textFeatures: number;
  readonly rotary: RotaryConfig;
  /** The network that computes the modulation of all blocks. */
  readonly approximator: {
    /** Features of a row's embedding: a quarter for the time, a quarter for the guidance, half for the row's number. */
    readonly inputs: number;
    readonly hidden: number;
    readonly layers: number;
  };
}

const schema = z.object({
  patch_size: oneOf([1], 1),
  in_channels: integer().default(64),
  out_channels: integer().nullish(),
  num_layers: integer().default(19),
  num_single_layers: integer().default(38),
  attention_head_dim: integer().default(128),
  num_attention_heads: integer().default(24),
  joint_attention_dim: integer().default(4096),
  axes_dims_rope: z.array(integer()).length(3, { error: "three integers" }).default([16, 56, 56]),
  approximator_num_channels: z
    .int()
    .multipleOf(8, { error: "a multiple of 8" })
    .min(8, { error: "a multiple of 8" })
    .default(64),
  approximator_hidden_dim: integer().default(5120),
  approximator_layers: integer().default(5),
});

/** Base of the frequencies of the rotary embedding, and epsilon of the norms: the same in all configs. */
const THETA = 10_000;
const EPSILON = 1e-6;

/** Parses a config. @throws UnsupportedConfigError naming the key; FileError where the sizes contradict each other */
export function parseChromaConfig(source: ConfigFile): ChromaConfig {
  const c = parseConfig(schema, source);
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
    approximator: {
      inputs: c.approximator_num_channels,
      hidden: c.approximator_hidden_dim,
      layers: c.approximator_layers,
    },
  };
}
