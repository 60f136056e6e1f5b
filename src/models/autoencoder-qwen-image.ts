/**
 * The autoencoder of Qwen-Image, which is Wan's for video (Wan Team 2025), for one image, with the names of diffusers' AutoencoderKLQwenImage.
 * Frames before the first are zeros, so that only the last slice of a kernel over frames reads anything: the network is one over images.
 */
import { z } from "zod";
import { FileError } from "../errors.js";
import { type Builder, createBuilder, known, type Value } from "../graph/index.js";
import { type ConfigFile, integer, parseConfig } from "./config.js";
import { type DecoderStage, finished } from "./decoder-stages.js";
import type { DrawnAutoencoder } from "./drawn-autoencoder.js";
import { type ConvOptions, conv, linear, scope, toImage, toTokens, type Weights } from "./layers.js";

/** A parsed config. */
interface Config {
  /** Channels of the image, C, and of the latents, Z. */
  readonly pixels: number;
  readonly latents: number;
  /** Channels of the encoder's first convolution. */
  readonly first: number;
  /** Channels of each resolution, the highest first. */
  readonly channels: readonly number[];
  /** Residual blocks of each resolution of the encoder; the decoder has one more. */
  readonly layers: number;
}

/** Means and deviations of Qwen-Image's latents by channel, where a config has none, as in diffusers. */
const MEAN = [
  -0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508, 0.4134, -0.0715, 0.5517, -0.3632, -0.1922,
  -0.9497, 0.2503, -0.2921,
];
const DEVIATION = [
  2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743, 3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253,
  2.8251, 1.916,
];

const schema = z.object({
  base_dim: integer().default(96),
  z_dim: integer().default(16),
  dim_mult: z.array(integer()).min(1).default([1, 2, 4, 4]),
  num_res_blocks: integer().default(2),
  attn_scales: z.array(z.number()).max(0, { error: "[]" }).default([]),
  input_channels: integer().default(3),
  latents_mean: z.array(z.number()).default(MEAN),
  latents_std: z.array(z.number()).default(DEVIATION),
});

/** The autoencoder of an AutoencoderKLQwenImage config. @throws UnsupportedConfigError naming the key */
export function qwenImageAutoencoder(source: ConfigFile): DrawnAutoencoder {
  const parsed = parseConfig(schema, source);
  const { latents_mean: mean, latents_std: std, z_dim: channels } = parsed;
  if (mean.length !== channels || std.length !== channels) {
    throw new FileError(
      source.file,
      `latents_mean and latents_std have ${mean.length} and ${std.length} values; z_dim asks for ${channels}`,
    );
  }
  const c: Config = {
    pixels: parsed.input_channels,
    latents: channels,
    first: parsed.base_dim,
    channels: parsed.dim_mult.map((times) => times * parsed.base_dim),
    layers: parsed.num_res_blocks,
  };
  return {
    kind: "drawn",
    pixelChannels: c.pixels,
    latentChannels: c.latents,
    scaling: { scale: 1, shift: 0, mean, std },
    // Norms square the values of hundreds of channels.
    forceUpcast: true,
    scaleFactor: 2 ** (c.channels.length - 1),
    drawDecoder(index, height, width) {
      const g = createBuilder();
      const root = scope(g, index);
      const w = root.at("decoder");
      let x = head(g, root, c, height, width);
      for (const [i, channels] of c.channels.toReversed().entries()) {
        const block = w.at("up_blocks").at(i);
        for (let j = 0; j <= c.layers; j++) x = resnet(g, block.at("resnets").at(j), x, channels);
        if (i === c.channels.length - 1) continue;
        const doubled = g.resizeNearest(x, 2 * known(x.shape[2]), 2 * known(x.shape[3]));
        x = conv(g, block.at(UPSAMPLER), doubled, channels / 2);
      }
      return g.finish({ image: frameConv(g, w.at("conv_out"), activated(g, w.at("norm_out"), x), c.pixels) });
    },
    drawEncoder: (index, height, width) => {
      const g = createBuilder();
      const root = scope(g, index);
      const w = root.at("encoder");
      const blocks = w.at("down_blocks");
      let x = frameConv(g, w.at("conv_in"), g.input("image", ["B", c.pixels, height, width]), c.first);
      let at = 0;
      for (const [i, channels] of c.channels.entries()) {
        for (let j = 0; j < c.layers; j++) x = resnet(g, blocks.at(at++), x, channels);
        if (i === c.channels.length - 1) continue;
        x = conv(g, blocks.at(at++).at("resample.1"), x, channels, { stride: 2, pads: [0, 0, 1, 1] });
      }
      x = middle(g, w.at("mid_block"), x);
      x = frameConv(g, w.at("conv_out"), activated(g, w.at("norm_out"), x), 2 * c.latents);
      x = conv(g, root.at("quant_conv"), x, 2 * c.latents, { kernel: 1 });
      return g.finish({ mean: g.slice(x, 1, 0, c.latents), logvar: g.slice(x, 1, c.latents, 2 * c.latents) });
    },
    drawHead(index, height, width) {
      const g = createBuilder();
      return g.finish({ output: head(g, scope(g, index), c, height, width) });
    },
    stages: () => stagesOf(c),
  };
}

/** Name of the convolution after an upsampling, which halves the channels. */
const UPSAMPLER = "upsamplers.0.resample.1";

/** The decoder up to its up blocks: the graph input "latents" [B, Z, h, w] → [B, C, h, w]. `root`: all weights. */
function head(g: Builder, root: Weights, c: Config, height: number, width: number): Value {
  const w = root.at("decoder");
  const latents = g.input("latents", ["B", c.latents, height, width]);
  const x = conv(g, root.at("post_quant_conv"), latents, c.latents, { kernel: 1 });
  return middle(g, w.at("mid_block"), frameConv(g, w.at("conv_in"), x, c.channels.at(-1) ?? 1));
}

/** 3 × 3 × 3 convolution of the only frame: x [B, C, H, W] → [B, out, H′, W′]. */
function frameConv(g: Builder, w: Weights, x: Value, out: number, { pads = [1, 1, 1, 1] }: ConvOptions = {}): Value {
  const inputs = known(x.shape[1]);
  const kernel = g.slice(w.get("weight", [out, inputs, 3, 3, 3]), 2, 2, 3);
  return g.conv(x, g.reshape(kernel, [out, inputs, 3, 3]), w.get("bias", [out]), { pads });
}

/** Only to divide by something where all channels are 0; diffusers divides by the norm, or by 1e-12. */
const EPSILON = 1e-24;

/** RMS norm over channels, at each place: x [B, C, H, W] → same. */
function norm(g: Builder, w: Weights, x: Value): Value {
  const [batch = 1, channels, height = 1, width = 1] = x.shape;
  const power = g.reshape(g.mean(g.mul(x, x), [1]), [batch, 1, height, width]);
  const root = g.sqrt(g.add(power, g.constant([], Float32Array.of(EPSILON))));
  return g.mul(g.div(x, root), g.reshape(w.get("gamma", [known(channels)]), [1, known(channels), 1, 1]));
}

const activated = (g: Builder, w: Weights, x: Value): Value => g.silu(norm(g, w, x));

/** Residual block. x [B, C, H, W] → [B, channels, H, W]. */
function resnet(g: Builder, w: Weights, x: Value, channels: number): Value {
  const h = frameConv(g, w.at("conv1"), activated(g, w.at("norm1"), x), channels);
  return g.add(shortcut(g, w, x, channels), frameConv(g, w.at("conv2"), activated(g, w.at("norm2"), h), channels));
}

const shortcut = (g: Builder, w: Weights, x: Value, channels: number): Value =>
  known(x.shape[1]) === channels ? x : conv(g, w.at("conv_shortcut"), x, channels, { kernel: 1 });

/** Middle block: residual, attention over all places with one head, residual. x [B, C, h, w] → same. */
function middle(g: Builder, w: Weights, input: Value): Value {
  const channels = known(input.shape[1]);
  const x = resnet(g, w.at("resnets.0"), input, channels);
  const attn = w.at("attentions.0");
  const qkv = linear(g, attn.at("to_qkv"), toTokens(g, norm(g, attn.at("norm"), x)), 3 * channels);
  const [q, k, v] = [0, 1, 2].map((i) => g.slice(qkv, 2, i * channels, (i + 1) * channels));
  if (!q || !k || !v) throw new RangeError("attention needs three projections");
  const mixed = linear(g, attn.at("proj"), g.attention(q, k, v, { heads: 1 }), channels);
  return resnet(g, w.at("resnets.1"), g.add(x, toImage(g, mixed, known(x.shape[2]), known(x.shape[3]))), channels);
}

/** No padding: the border of the tile takes its place. A norm leaves the zeros beyond the image as they are. */
const VALID = { pads: [0, 0, 0, 0] } as const;

/** What a stage draws: the weights under its name's parent, and a tile with its border → the output. */
type Draw = (g: Builder, w: Weights, map: Value, height: number, width: number) => Value;

/** Stages of the decoder after the head, for tiles. Norms depend on one place alone, so that none needs statistics. */
function stagesOf(c: Config): DecoderStage[] {
  const stages: DecoderStage[] = [];
  const levels = c.channels.toReversed();
  let from = levels[0] ?? 1;
  const stage = (name: string, draw: Draw, more: Partial<DecoderStage> = {}) => {
    const inputs = from;
    stages.push({
      name,
      groups: null,
      addsResidual: false,
      keepsInput: false,
      scale: 1,
      ...more,
      draw(index, height, width) {
        const g = createBuilder();
        const map = g.input("map", [1, inputs, height + 2, width + 2]);
        const w = scope(g, index, name.slice(0, name.lastIndexOf(".")));
        return finished(g, draw(g, w, map, height, width));
      },
    });
  };
  for (const [i, channels] of levels.entries()) {
    for (let j = 0; j <= c.layers; j++) {
      const at = `decoder.up_blocks.${i}.resnets.${j}`;
      const inputs = from;
      stage(
        `${at}.conv1`,
        (g, w, map) => frameConv(g, w.at("conv1"), activated(g, w.at("norm1"), map), channels, VALID),
        { keepsInput: true },
      );
      from = channels;
      stage(
        `${at}.conv2`,
        (g, w, map, height, width) => {
          const h = frameConv(g, w.at("conv2"), activated(g, w.at("norm2"), map), channels, VALID);
          return g.add(shortcut(g, w, g.input("residual", [1, inputs, height, width]), channels), h);
        },
        { addsResidual: true },
      );
    }
    if (i === levels.length - 1) continue;
    const draw: Draw = (g, w, map, height, width) => {
      const doubled = g.resizeNearest(map, 2 * height + 4, 2 * width + 4);
      const bordered = g.slice(g.slice(doubled, 2, 1, 2 * height + 3), 3, 1, 2 * width + 3);
      return conv(g, w.at("1"), bordered, channels / 2, VALID);
    };
    stage(`decoder.up_blocks.${i}.${UPSAMPLER}`, draw, { scale: 2 });
    from = channels / 2;
  }
  stage("decoder.conv_out", (g, w, map) =>
    frameConv(g, w.at("conv_out"), activated(g, w.at("norm_out"), map), c.pixels, VALID),
  );
  return stages;
}
