/** The config of a Z-Image transformer (diffusers' ZImageTransformer2DModel), parsed and checked. */
import { z } from "zod";
import { FileError } from "../errors.js";
import { absent, type ConfigFile, integer, oneOf, parseConfig } from "./config.js";
import type { RotaryConfig } from "./rotary.js";

/** A parsed config. */
export interface ZImageConfig {
  /** Channels of the latents. */
  readonly channels: number;
  /** Width of the tokens, D. */
  readonly features: number;
  readonly layers: number;
  /** Blocks on image tokens alone, and on text tokens alone, before they are joined. */
  readonly refiners: number;
  readonly heads: number;
  /** Queries and keys are normalised. */
  readonly normalisesHeads: boolean;
  readonly epsilon: number;
  /** Features of the text conditioning. */
  readonly textFeatures: number;
  /** Factor on 1 − σ before it is embedded. */
  readonly timeScale: number;
  readonly rotary: RotaryConfig;
  /** Largest position of each axis plus one. */
  readonly axisLengths: readonly number[];
}

const only = (values: readonly number[]) =>
  z
    .array(z.number())
    .refine((given) => given.join() === values.join(), { error: JSON.stringify(values) })
    .default([...values]);
const three = (fallback: [number, number, number]) =>
  z.tuple([integer(), integer(), integer()], { error: "three integers" }).default(fallback);

const schema = z.object({
  all_patch_size: only([2]),
  all_f_patch_size: only([1]),
  in_channels: integer().default(16),
  dim: integer().default(3840),
  n_layers: integer().default(30),
  n_refiner_layers: integer().default(2),
  n_heads: integer().default(30),
  norm_eps: z.number().positive().default(1e-5),
  qk_norm: oneOf([true, false], true),
  cap_feat_dim: integer().default(2560),
  // The Omni models, which read images.
  siglip_feat_dim: absent,
  rope_theta: z.number().positive().default(256),
  t_scale: z.number().positive().default(1000),
  axes_dims: three([32, 48, 48]),
  axes_lens: three([1024, 512, 512]),
});

/** Parses a config. @throws UnsupportedConfigError naming the key; FileError where the sizes contradict each other */
export function parseZImageConfig(source: ConfigFile): ZImageConfig {
  const c = parseConfig(schema, source);
  const width = c.dim / c.n_heads;
  const turned = c.axes_dims.reduce((n, d) => n + d, 0);
  if (turned !== width || c.axes_dims.some((d) => d % 2 !== 0)) {
    throw new FileError(
      source.file,
      `axes_dims ${JSON.stringify(c.axes_dims)} must be even numbers that add up to ${width}, the features of a head (dim / n_heads)`,
    );
  }
  return {
    channels: c.in_channels,
    features: c.dim,
    layers: c.n_layers,
    refiners: c.n_refiner_layers,
    heads: c.n_heads,
    normalisesHeads: c.qk_norm,
    epsilon: c.norm_eps,
    textFeatures: c.cap_feat_dim,
    timeScale: c.t_scale,
    rotary: { axes: c.axes_dims, theta: c.rope_theta, product: "float64" },
    axisLengths: c.axes_lens,
  };
}
