/** AutoencoderTiny (TAESD, Ollin Boer Bohan): a small convolutional autoencoder that approximates a model's AutoencoderKL. */

import { z } from "zod";
import { type Builder, createBuilder, type Graph, known, type Value } from "../graph/index.js";
import type { LatentScaling } from "./autoencoder.js";
import { type ConfigFile, integer, oneOf, parseConfig } from "./config.js";
import type { DrawingWeights } from "./drawing.js";
import { conv, scope, type Weights } from "./layers.js";

/** A parsed AutoencoderTiny config. */
export interface TinyAutoencoderConfig {
  readonly kind: "tiny";
  /** Channels of the image, C, and of the latents, Z. */
  readonly pixelChannels: number;
  readonly latentChannels: number;
  readonly encoder: readonly TinyBlock[];
  readonly decoder: readonly TinyBlock[];
  readonly scaling: LatentScaling;
  /** VAE scale factor f: pixels per latent along each side. */
  readonly scaleFactor: number;
}

/** One resolution: residual blocks of equal width. */
interface TinyBlock {
  readonly channels: number;
  readonly layers: number;
}

const channelList = z.array(integer()).min(1).default([64, 64, 64, 64]);
const schema = z.object({
  in_channels: integer().default(3),
  out_channels: integer().default(3),
  encoder_block_out_channels: channelList,
  decoder_block_out_channels: channelList,
  act_fn: oneOf(["relu"], "relu"),
  upsample_fn: oneOf(["nearest"], "nearest"),
  latent_channels: integer().default(4),
  upsampling_scaling_factor: oneOf([2], 2),
  num_encoder_blocks: z.array(integer(0)).default([1, 3, 3, 3]),
  num_decoder_blocks: z.array(integer(0)).default([3, 3, 3, 1]),
  // The default of AutoencoderTiny is 1, independent of the scaling factor of the model's AutoencoderKL.
  scaling_factor: z.number().default(1),
  shift_factor: z.number().nullish(),
});

/** Parses an AutoencoderTiny config. @throws UnsupportedConfigError naming the key */
export function parseTinyAutoencoderConfig(source: ConfigFile): TinyAutoencoderConfig {
  const c = parseConfig(schema, source);
  const zip = (channels: readonly number[], layers: readonly number[]) =>
    channels.map((n, i) => ({ channels: n, layers: layers[i] ?? 0 }));
  return {
    kind: "tiny",
    pixelChannels: c.out_channels,
    latentChannels: c.latent_channels,
    encoder: zip(c.encoder_block_out_channels, c.num_encoder_blocks),
    decoder: zip(c.decoder_block_out_channels, c.num_decoder_blocks),
    scaling: { scale: c.scaling_factor, shift: c.shift_factor ?? 0, mean: null, std: null },
    scaleFactor: 2 ** (c.decoder_block_out_channels.length - 1),
  };
}

/**
 * Builds the decoder's graph. Input: latents [B, Z, h, w] in the denoiser's scale. Output: image [B, C, h·f, w·f], about −1…1.
 * @throws WeightMissingError, WeightShapeError
 */
export function drawTinyDecoder(c: TinyAutoencoderConfig, index: DrawingWeights, height: number, width: number): Graph {
  const g = createBuilder();
  const layers = numbered(scope(g, index).at("decoder").at("layers"));
  const three = scalar(g, 3);
  // Soft clamp of the latents to ±3: 3 tanh(x / 3).
  let x = g.mul(g.tanh(g.div(g.input("latents", ["B", c.latentChannels, height, width]), three)), three);
  x = g.relu(conv(g, layers.next(), x, c.decoder[0]?.channels ?? 1));
  layers.next();
  for (const [i, { channels, layers: n }] of c.decoder.entries()) {
    const final = i === c.decoder.length - 1;
    for (let j = 0; j < n; j++) x = block(g, layers.next(), x);
    if (!final) {
      layers.next();
      x = g.resizeNearest(x, 2 * known(x.shape[2]), 2 * known(x.shape[3]));
    }
    x = conv(g, layers.next(), x, final ? c.pixelChannels : channels, { bias: final });
  }
  return g.finish({ image: g.sub(g.mul(x, scalar(g, 2)), scalar(g, 1)) });
}

/**
 * Radius of the decoder's receptive field, in latents, rounded up. Each 3×3 convolution adds one pixel of its resolution, which is
 * half as many latents after each upsampling.
 */
export function receptiveField({ decoder }: TinyAutoencoderConfig): number {
  const convolutions = decoder.map(({ layers }, i) => (i === 0 ? 1 : 0) + 3 * layers + 1);
  return Math.ceil(convolutions.reduce((sum, n, i) => sum + n / 2 ** i, 0)) + 1;
}

/**
 * Builds the encoder's graph. Input: image [B, C, H, W] in −1…1. Output: mean [B, Z, H/f, W/f]; this autoencoder has no variance.
 * @throws WeightMissingError, WeightShapeError
 */
export function drawTinyEncoder(c: TinyAutoencoderConfig, index: DrawingWeights, height: number, width: number): Graph {
  const g = createBuilder();
  const layers = numbered(scope(g, index).at("encoder").at("layers"));
  let x = g.input("image", ["B", c.pixelChannels, height, width]);
  x = g.div(g.add(x, scalar(g, 1)), scalar(g, 2));
  for (const [i, { channels, layers: n }] of c.encoder.entries()) {
    x = conv(g, layers.next(), x, channels, i === 0 ? {} : { stride: 2, bias: false });
    for (let j = 0; j < n; j++) x = block(g, layers.next(), x);
  }
  return g.finish({ mean: conv(g, layers.next(), x, c.latentChannels) });
}

/** Residual block of three 3×3 convolutions. x [B, C, H, W] → same. */
function block(g: Builder, w: Weights, x: Value): Value {
  const channels = known(x.shape[1]);
  const convs = w.at("conv");
  const h = g.relu(conv(g, convs.at(2), g.relu(conv(g, convs.at(0), x, channels)), channels));
  return g.relu(g.add(conv(g, convs.at(4), h, channels), x));
}

/** Layers of a torch Sequential in order. Layers without weights are counted. */
function numbered(w: Weights): { next(): Weights } {
  let i = 0;
  return { next: () => w.at(i++) };
}

const scalar = (g: Builder, value: number) => g.constant([], Float32Array.of(value));
