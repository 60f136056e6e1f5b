/** AutoencoderKL (Rombach et al. 2022, appendix G): graphs of its decoder and encoder, from its config and with the checkpoint's names. */

import { z } from "zod";
import { type Builder, createBuilder, type Graph, known, type Value } from "../graph/index.js";
import { type ConfigFile, integer, oneOf, parseConfig } from "./config.js";
import type { DrawingWeights } from "./drawing.js";
import { conv, groupNorm, linear, scope, toImage, toTokens, type Weights } from "./layers.js";
import { resnet } from "./resnet.js";

/** Map from the denoiser's latents to the decoder's: z = latent · std / scale + mean + shift (diffusers' scaling_factor, latents_mean …). */
export interface LatentScaling {
  readonly scale: number;
  readonly shift: number;
  /** One value per latent channel; null stands for 0. */
  readonly mean: readonly number[] | null;
  /** One value per latent channel; null stands for 1. */
  readonly std: readonly number[] | null;
}

/** A parsed AutoencoderKL config. */
export interface AutoencoderConfig {
  readonly kind: "kl";
  /** Channels of the image, C, and of the latents, Z. */
  readonly pixelChannels: number;
  readonly latentChannels: number;
  /**
   * The denoiser's latents are folded and normalised (FLUX.2): squares of `side` × `side` are channels of one latent, and each channel is
   * (z − mean) / √(variance + epsilon) with the statistics of the weights "bn". Null where they are not.
   */
  readonly folding: { readonly side: number; readonly epsilon: number } | null;
  /** Channels of each resolution, the highest first. */
  readonly channels: readonly number[];
  /** Those of the decoder, which may be narrower. */
  readonly decoderChannels: readonly number[];
  /** Residual blocks of each resolution of the encoder; the decoder has one more. */
  readonly layers: number;
  /** Groups of the group norms. */
  readonly groups: number;
  readonly midAttention: boolean;
  readonly quantConv: boolean;
  readonly postQuantConv: boolean;
  readonly scaling: LatentScaling;
  /** The decoder overflows in float16 and must run in float32. */
  readonly forceUpcast: boolean;
  /** Pixels per latent of the denoiser along each side, f: the VAE scale factor, a power of two, times the side of a fold. */
  readonly scaleFactor: number;
}

const schema = z.object({
  in_channels: integer().default(3),
  out_channels: integer().default(3),
  down_block_types: z
    .array(z.literal("DownEncoderBlock2D", { error: "DownEncoderBlock2D" }))
    .default(["DownEncoderBlock2D"]),
  up_block_types: z.array(z.literal("UpDecoderBlock2D", { error: "UpDecoderBlock2D" })).default(["UpDecoderBlock2D"]),
  block_out_channels: z.array(integer()).min(1).default([64]),
  layers_per_block: integer().default(1),
  act_fn: oneOf(["silu", "swish"], "silu"),
  latent_channels: integer().default(4),
  norm_num_groups: integer().default(32),
  scaling_factor: z.number().default(0.18215),
  shift_factor: z.number().nullish(),
  latents_mean: z.array(z.number()).nullish(),
  latents_std: z.array(z.number()).nullish(),
  force_upcast: z.boolean().default(true),
  use_quant_conv: z.boolean().default(true),
  use_post_quant_conv: z.boolean().default(true),
  mid_block_add_attention: z.boolean().default(true),
});

/** Parses an AutoencoderKL config. @throws UnsupportedConfigError naming the key */
export function parseAutoencoderConfig(source: ConfigFile): AutoencoderConfig {
  const c = parseConfig(schema, source);
  return {
    kind: "kl",
    pixelChannels: c.out_channels,
    latentChannels: c.latent_channels,
    folding: null,
    channels: c.block_out_channels,
    decoderChannels: c.block_out_channels,
    layers: c.layers_per_block,
    groups: c.norm_num_groups,
    midAttention: c.mid_block_add_attention,
    quantConv: c.use_quant_conv,
    postQuantConv: c.use_post_quant_conv,
    scaling: {
      scale: c.scaling_factor,
      shift: c.shift_factor ?? 0,
      mean: c.latents_mean ?? null,
      std: c.latents_std ?? null,
    },
    forceUpcast: c.force_upcast,
    scaleFactor: 2 ** (c.block_out_channels.length - 1),
  };
}

const foldedSchema = schema.extend({
  latent_channels: integer().default(32),
  block_out_channels: z.array(integer()).min(1).default([128, 256, 512, 512]),
  decoder_block_out_channels: z.array(integer()).min(1).nullish(),
  layers_per_block: integer().default(2),
  batch_norm_eps: z.number().positive().default(1e-4),
  patch_size: z.tuple([z.literal(2), z.literal(2)], { error: "[2, 2]" }).default([2, 2]),
});

/** Parses an AutoencoderKLFlux2 config: the same network, between folded latents that a batch norm scales. @throws UnsupportedConfigError naming the key */
export function parseFoldedAutoencoderConfig(source: ConfigFile): AutoencoderConfig {
  const c = parseConfig(foldedSchema, source);
  const [side] = c.patch_size;
  const plain = parseAutoencoderConfig({ ...source, config: { ...c, scaling_factor: 1 } });
  return {
    ...plain,
    decoderChannels: c.decoder_block_out_channels ?? c.block_out_channels,
    folding: { side, epsilon: c.batch_norm_eps },
    scaleFactor: side * plain.scaleFactor,
  };
}

/** Parsers of the configs of this network by class. */
export const KL_AUTOENCODERS: Readonly<Record<string, (source: ConfigFile) => AutoencoderConfig>> = {
  AutoencoderKL: parseAutoencoderConfig,
  AutoencoderKLFlux2: parseFoldedAutoencoderConfig,
};

/** Epsilon of all group norms. */
export const EPSILON = 1e-6;

/**
 * Builds the decoder's graph. Input: latents [B, Z, h, w] in the autoencoder's own scale (see `LatentScaling`), or folded ones of s² Z channels
 * as the denoiser has them. Output: image [B, C, h·f, w·f], about −1…1.
 * @throws WeightMissingError, WeightShapeError
 */
export function drawDecoder(c: AutoencoderConfig, index: DrawingWeights, height: number, width: number): Graph {
  const g = createBuilder();
  const root = scope(g, index);
  const w = root.at("decoder");
  let x = drawDecoderHead(g, c, root, height, width);
  for (const [i, channels] of c.decoderChannels.toReversed().entries()) {
    const block = w.at("up_blocks").at(i);
    for (let j = 0; j <= c.layers; j++) {
      x = resnet(g, block.at("resnets").at(j), x, { channels, groups: c.groups, epsilon: EPSILON });
    }
    if (i === c.decoderChannels.length - 1) continue;
    const doubled = g.resizeNearest(x, 2 * known(x.shape[2]), 2 * known(x.shape[3]));
    x = conv(g, block.at("upsamplers").at(0).at("conv"), doubled, channels);
  }
  x = g.silu(groupNorm(g, w.at("conv_norm_out"), x, c.groups, EPSILON));
  return g.finish({ image: conv(g, w.at("conv_out"), x, c.pixelChannels) });
}

/** The decoder up to its up blocks: the graph input "latents" [B, Z, h, w] → [B, C, h, w], or folded [B, s² Z, h, w] → [B, C, s h, s w]. `root`: all weights. */
export function drawDecoderHead(g: Builder, c: AutoencoderConfig, root: Weights, height: number, width: number): Value {
  const w = root.at("decoder");
  const [deepest = 1] = c.decoderChannels.toReversed();
  let x = c.folding
    ? unfolded(g, c, c.folding, root.at("bn"), height, width)
    : g.input("latents", ["B", c.latentChannels, height, width]);
  if (c.postQuantConv) x = conv(g, root.at("post_quant_conv"), x, c.latentChannels, { kernel: 1 });
  x = conv(g, w.at("conv_in"), x, deepest);
  return middle(g, c, w.at("mid_block"), x);
}

/** The graph input "latents" [B, s² Z, h, w] in the statistics of the batch norm `w`, spread out: [B, Z, s h, s w]. */
function unfolded(
  g: Builder,
  { latentChannels }: AutoencoderConfig,
  { side, epsilon }: NonNullable<AutoencoderConfig["folding"]>,
  w: Weights,
  height: number,
  width: number,
): Value {
  const channels = latentChannels * side ** 2;
  const statistic = (name: string) => g.reshape(w.get(name, [channels]), [1, channels, 1, 1]);
  const deviation = g.sqrt(g.add(statistic("running_var"), g.constant([], Float32Array.of(epsilon))));
  const x = g.add(g.mul(g.input("latents", ["B", channels, height, width]), deviation), statistic("running_mean"));
  const split = g.reshape(x, ["B", latentChannels, side, side, height, width]);
  return g.reshape(g.transpose(split, [0, 1, 4, 2, 5, 3]), ["B", latentChannels, side * height, side * width]);
}

/**
 * Builds the encoder's graph. Input: image [B, C, H, W] in −1…1. Outputs: mean and logvar [B, Z, H/f, W/f] of the latents, in the
 * autoencoder's own scale.
 * @throws WeightMissingError, WeightShapeError
 */
export function drawEncoder(c: AutoencoderConfig, index: DrawingWeights, height: number, width: number): Graph {
  const g = createBuilder();
  const root = scope(g, index);
  const w = root.at("encoder");
  let x = conv(g, w.at("conv_in"), g.input("image", ["B", c.pixelChannels, height, width]), c.channels[0] ?? 1);
  for (const [i, channels] of c.channels.entries()) {
    const block = w.at("down_blocks").at(i);
    for (let j = 0; j < c.layers; j++) {
      x = resnet(g, block.at("resnets").at(j), x, { channels, groups: c.groups, epsilon: EPSILON });
    }
    if (i === c.channels.length - 1) continue;
    x = conv(g, block.at("downsamplers").at(0).at("conv"), x, channels, { stride: 2, pads: [0, 0, 1, 1] });
  }
  x = middle(g, c, w.at("mid_block"), x);
  x = g.silu(groupNorm(g, w.at("conv_norm_out"), x, c.groups, EPSILON));
  x = conv(g, w.at("conv_out"), x, 2 * c.latentChannels);
  if (c.quantConv) x = conv(g, root.at("quant_conv"), x, 2 * c.latentChannels, { kernel: 1 });
  return g.finish({
    mean: g.slice(x, 1, 0, c.latentChannels),
    logvar: g.slice(x, 1, c.latentChannels, 2 * c.latentChannels),
  });
}

/** Middle block: residual, attention, residual. x [B, C, h, w] → same. */
function middle(g: Builder, c: AutoencoderConfig, w: Weights, input: Value): Value {
  const options = { channels: known(input.shape[1]), groups: c.groups, epsilon: EPSILON };
  let x = resnet(g, w.at("resnets").at(0), input, options);
  if (c.midAttention) x = attention(g, w.at("attentions").at(0), x, c.groups);
  return resnet(g, w.at("resnets").at(1), x, options);
}

/** Names of the attention projections: current, and before diffusers 0.18. */
const NAMES = {
  current: { q: "to_q", k: "to_k", v: "to_v", out: "to_out.0" },
  old: { q: "query", k: "key", v: "value", out: "proj_attn" },
} as const;

/** Self-attention over all positions, with one head. x [B, C, H, W] → same. */
function attention(g: Builder, w: Weights, x: Value, groups: number): Value {
  const names = NAMES[w.has("query") ? "old" : "current"];
  const size = known(x.shape[1]);
  const tokens = toTokens(g, groupNorm(g, w.at("group_norm"), x, groups, EPSILON));
  const [q, k, v] = [names.q, names.k, names.v].map((name) => linear(g, w.at(name), tokens, size));
  if (!q || !k || !v) throw new RangeError("attention needs three projections");
  const y = linear(g, w.at(names.out), g.attention(q, k, v, { heads: 1 }), size);
  return g.add(x, toImage(g, y, known(x.shape[2]), known(x.shape[3])));
}
