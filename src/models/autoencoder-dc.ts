/**
 * AutoencoderDC, the deep compression autoencoder of SANA (Chen et al. 2024, DC-AE), with diffusers' names: residual blocks at high resolutions,
 * linear attention at low ones, and shortcuts that move pixels into channels and back.
 */
import { z } from "zod";
import { type Builder, createBuilder, type Graph, known, type Value } from "../graph/index.js";
import { type ConfigFile, integer, oneOf, parseConfig } from "./config.js";
import { type DecoderStage, finished } from "./decoder-stages.js";
import type { DrawnAutoencoder } from "./drawn-autoencoder.js";
import { conv, scope, type Weights } from "./layers.js";
import { gatedConvolutions, linearAttention } from "./linear-attention.js";

/** One resolution of a half. */
interface Level {
  readonly channels: number;
  readonly layers: number;
  /** Sizes of the convolutions beside the attention; null for residual blocks. */
  readonly scales: readonly number[] | null;
}

/** A parsed config. */
interface DcConfig {
  readonly pixelChannels: number;
  readonly latentChannels: number;
  /** Levels of each half, the highest resolution first. */
  readonly encoder: readonly Level[];
  readonly decoder: readonly Level[];
  readonly headFeatures: number;
  /** Pixels move into channels by a convolution to fewer of them, or by one with a stride. */
  readonly unshuffles: boolean;
  /** Channels move into pixels after a convolution, or pixels are doubled before it. */
  readonly shuffles: boolean;
  readonly encoderShortcut: boolean;
  readonly decoderShortcut: boolean;
}

/** Epsilon of all norms. */
const EPSILON = 1e-5;
/** Channels inside the convolutions of a block with attention, for each of its channels: 4, and as many gates. */
const WIDENING = 8;

const BLOCKS = ["ResBlock", "EfficientViTBlock"] as const;
const CHANNELS = [128, 256, 512, 512, 1024, 1024];
const SCALES = [[], [], [], [5], [5], [5]];
/** A value for all levels, or one for each. */
const each = <const T extends string>(values: readonly T[], fallback: T) => {
  const error = values.join(", ");
  const one = z.enum(values, { error });
  return z.union([one, z.array(one)], { error }).default(fallback);
};

const schema = z.object({
  in_channels: integer().default(3),
  latent_channels: integer().default(32),
  attention_head_dim: integer().default(32),
  encoder_block_types: each(BLOCKS, "ResBlock"),
  decoder_block_types: each(BLOCKS, "ResBlock"),
  encoder_block_out_channels: z.array(integer()).min(1).default(CHANNELS),
  decoder_block_out_channels: z.array(integer()).min(1).default(CHANNELS),
  encoder_layers_per_block: z.array(integer()).default([2, 2, 2, 3, 3, 3]),
  decoder_layers_per_block: z.array(integer()).default([3, 3, 3, 3, 3, 3]),
  encoder_qkv_multiscales: z.array(z.array(integer())).default(SCALES),
  decoder_qkv_multiscales: z.array(z.array(integer())).default(SCALES),
  upsample_block_type: oneOf(["pixel_shuffle", "interpolate"], "pixel_shuffle"),
  downsample_block_type: oneOf(["pixel_unshuffle", "conv"], "pixel_unshuffle"),
  decoder_norm_types: each(["rms_norm"], "rms_norm"),
  decoder_act_fns: each(["silu"], "silu"),
  encoder_out_shortcut: oneOf([true, false], true),
  decoder_in_shortcut: oneOf([true, false], true),
  decoder_conv_act_fn: oneOf(["relu"], "relu"),
  scaling_factor: z.number().default(1),
});

/** Parses a config. @throws UnsupportedConfigError naming the key */
export function dcAutoencoder(source: ConfigFile): DrawnAutoencoder {
  const c = parseConfig(schema, source);
  const levels = (half: "encoder" | "decoder"): Level[] => {
    const types = c[`${half}_block_types`];
    return c[`${half}_block_out_channels`].map((channels, i) => ({
      channels,
      layers: c[`${half}_layers_per_block`][i] ?? 1,
      scales:
        (typeof types === "string" ? types : types[i]) === "EfficientViTBlock"
          ? (c[`${half}_qkv_multiscales`][i] ?? [])
          : null,
    }));
  };
  const config: DcConfig = {
    pixelChannels: c.in_channels,
    latentChannels: c.latent_channels,
    encoder: levels("encoder"),
    decoder: levels("decoder"),
    headFeatures: c.attention_head_dim,
    unshuffles: c.downsample_block_type === "pixel_unshuffle",
    shuffles: c.upsample_block_type === "pixel_shuffle",
    encoderShortcut: c.encoder_out_shortcut,
    decoderShortcut: c.decoder_in_shortcut,
  };
  return {
    kind: "drawn",
    pixelChannels: config.pixelChannels,
    latentChannels: config.latentChannels,
    scaling: { scale: c.scaling_factor, shift: 0, mean: null, std: null },
    // Squares of features exceed float16.
    forceUpcast: true,
    scaleFactor: 2 ** (config.encoder.length - 1),
    drawDecoder(index, height, width) {
      const g = createBuilder();
      const w = scope(g, index, "decoder");
      let x = entrance(g, config, w, height, width);
      for (let i = config.decoder.length - 1; i >= 0; i--) x = up(g, config, w, x, i);
      const last = g.relu(channelNorm(g, w.at("norm_out"), x));
      return g.finish({ image: conv(g, w.at("conv_out"), last, config.pixelChannels) });
    },
    drawEncoder: (index, height, width) => drawEncoder(config, index, height, width),
    ...inTiles(config),
  };
}

/** The decoder up to its first level: the graph input "latents" [B, Z, h, w] → [B, C, h, w]. `w`: the weights of the decoder. */
function entrance(g: Builder, c: DcConfig, w: Weights, height: number, width: number): Value {
  const latents = g.input("latents", ["B", c.latentChannels, height, width]);
  const channels = c.decoder.at(-1)?.channels ?? 1;
  const x = conv(g, w.at("conv_in"), latents, channels);
  return c.decoderShortcut ? g.add(x, repeated(g, latents, channels / c.latentChannels)) : x;
}

/** Level i of the decoder, the highest resolution being 0: x [B, C, h, w] → [B, C′, 2 h, 2 w], or of the same size for the lowest. */
function up(g: Builder, c: DcConfig, w: Weights, x: Value, i: number): Value {
  const level = c.decoder[i];
  if (!level) return x;
  const blocks = w.at("up_blocks").at(i);
  const first = i < c.decoder.length - 1 ? 1 : 0;
  let y = first === 1 ? doubled(g, c, blocks.at(0), x, level.channels) : x;
  for (let j = 0; j < level.layers; j++) y = block(g, c, blocks.at(first + j), y, level);
  return y;
}

/** Twice the height and width: a convolution, and a shortcut of repeated channels that become pixels. */
function doubled(g: Builder, c: DcConfig, w: Weights, x: Value, channels: number): Value {
  const [, from, height, width] = x.shape.map((d, i) => (i === 0 ? 1 : known(d)));
  const shortcut = shuffled(g, repeated(g, x, (channels * 4) / (from ?? 1)));
  if (c.shuffles) return g.add(shuffled(g, conv(g, w.at("conv"), x, 4 * channels)), shortcut);
  const large = g.resizeNearest(x, 2 * (height ?? 1), 2 * (width ?? 1));
  return g.add(conv(g, w.at("conv"), large, channels), shortcut);
}

/** Half the height and width: a convolution, and a shortcut of pixels that become channels, of which groups are averaged. */
function halved(g: Builder, c: DcConfig, w: Weights, x: Value, channels: number): Value {
  const y = c.unshuffles
    ? unshuffled(g, conv(g, w.at("conv"), x, channels / 4))
    : conv(g, w.at("conv"), x, channels, { stride: 2 });
  return g.add(y, averaged(g, unshuffled(g, x), channels));
}

function drawEncoder(
  c: DcConfig,
  index: Parameters<DrawnAutoencoder["drawEncoder"]>[0],
  height: number,
  width: number,
): Graph {
  const g = createBuilder();
  const w = scope(g, index, "encoder");
  let x = conv(
    g,
    w.at("conv_in"),
    g.input("image", ["B", c.pixelChannels, height, width]),
    c.encoder[0]?.channels ?? 1,
  );
  for (const [i, level] of c.encoder.entries()) {
    const blocks = w.at("down_blocks").at(i);
    for (let j = 0; j < level.layers; j++) x = block(g, c, blocks.at(j), x, level);
    const next = c.encoder[i + 1];
    if (next) x = halved(g, c, blocks.at(level.layers), x, next.channels);
  }
  const mean = conv(g, w.at("conv_out"), x, c.latentChannels);
  return g.finish({ mean: c.encoderShortcut ? g.add(mean, averaged(g, x, c.latentChannels)) : mean });
}

/** Block of a level: x [B, C, H, W] → same. */
function block(g: Builder, c: DcConfig, w: Weights, x: Value, { channels, scales }: Level): Value {
  if (scales === null) {
    const y = conv(g, w.at("conv2"), g.silu(conv(g, w.at("conv1"), x, channels)), channels, { bias: false });
    return g.add(channelNorm(g, w.at("norm"), y), x);
  }
  const attended = attention(g, w.at("attn"), x, scales, c.headFeatures);
  const mixed = gatedConvolutions(g, w.at("conv_out"), attended, WIDENING * channels);
  return g.add(channelNorm(g, w.at("conv_out.norm"), mixed), attended);
}

/** Linear attention among pixels, with queries, keys and values also of their surroundings: x [B, C, H, W] → same. */
function attention(g: Builder, w: Weights, x: Value, scales: readonly number[], width: number): Value {
  const [batch = 1, channels, height, columns] = x.shape;
  const heads = Math.floor(known(channels) / width);
  const inner = 3 * heads * width;
  const part = (name: string) => conv(g, w.at(name), x, heads * width, { kernel: 1, bias: false });
  const own = g.concat([part("to_q"), part("to_k"), part("to_v")], 1);
  const around = scales.map((kernel, i) => {
    const scale = w.at("to_qkv_multiscale").at(i);
    const near = conv(g, scale.at("proj_in"), own, inner, { kernel, groups: inner, bias: false });
    return conv(g, scale.at("proj_out"), near, inner, { kernel: 1, groups: 3 * heads, bias: false });
  });
  const all = heads * (1 + scales.length);
  const pixels = known(height) * known(columns);
  const split = g.reshape(g.concat([own, ...around], 1), [batch, all, 3 * width, pixels]);
  const [q, k, v] = [0, 1, 2].map((i) => g.slice(split, 2, i * width, (i + 1) * width));
  if (!q || !k || !v) throw new RangeError("attention needs three projections");
  const mixed = g.reshape(linearAttention(g, q, k, v), [batch, all * width, known(height), known(columns)]);
  const out = conv(g, w.at("to_out"), mixed, known(channels), { kernel: 1, bias: false });
  return g.add(channelNorm(g, w.at("norm_out"), out), x);
}

/** RMS norm over the channels of each pixel, with a bias; without moving channels last, for large maps. x [B, C, H, W] → same. */
function channelNorm(g: Builder, w: Weights, x: Value): Value {
  const [batch = 1, channels, height = 1, width = 1] = x.shape;
  const along = (name: string) => g.reshape(w.get(name, [known(channels)]), [1, known(channels), 1, 1]);
  const square = g.reshape(g.mean(g.mul(x, x), [1]), [batch, 1, height, width]);
  const deviation = g.sqrt(g.add(square, g.constant([], Float32Array.of(EPSILON))));
  return g.add(g.mul(g.div(x, deviation), along("weight")), along("bias"));
}

/** Each channel `times` times in a row: x [B, C, H, W] → [B, times C, H, W]. */
function repeated(g: Builder, x: Value, times: number): Value {
  const [batch = 1, channels, height = 1, width = 1] = x.shape;
  const one = g.reshape(x, [batch, known(channels), 1, height, width]);
  return g.reshape(g.concat(new Array<Value>(times).fill(one), 2), [batch, times * known(channels), height, width]);
}

/** Means of groups of channels: x [B, n C, H, W] → [B, C, H, W]. */
function averaged(g: Builder, x: Value, channels: number): Value {
  const [batch = 1, from, height = 1, width = 1] = x.shape;
  return g.mean(g.reshape(x, [batch, channels, known(from) / channels, height, width]), [2]);
}

/** Channels become squares of pixels: x [B, 4 C, H, W] → [B, C, 2 H, 2 W]. */
function shuffled(g: Builder, x: Value): Value {
  const [batch = 1, channels, height, width] = x.shape;
  const [c, h, w] = [known(channels) / 4, known(height), known(width)];
  const split = g.transpose(g.reshape(x, [batch, c, 2, 2, h, w]), [0, 1, 4, 2, 5, 3]);
  return g.reshape(split, [batch, c, 2 * h, 2 * w]);
}

/** Squares of pixels become channels: x [B, C, 2 H, 2 W] → [B, 4 C, H, W]. */
function unshuffled(g: Builder, x: Value): Value {
  const [batch = 1, channels, height, width] = x.shape;
  const [c, h, w] = [known(channels), known(height) / 2, known(width) / 2];
  const split = g.transpose(g.reshape(x, [batch, c, h, 2, w, 2]), [0, 1, 3, 5, 2, 4]);
  return g.reshape(split, [batch, 4 * c, h, w]);
}

/** No padding: the border of the tile takes its place. */
const VALID = { pads: [0, 0, 0, 0] } as const;
/** A map of a tile without its border of one pixel. */
const inside = (g: Builder, x: Value): Value =>
  g.slice(g.slice(x, 2, 1, known(x.shape[2]) - 1), 3, 1, known(x.shape[3]) - 1);

/** A stage on a tile; `draw` gets the tile with its border, [1, channels, h + 2, w + 2]. */
const stage = (
  name: string,
  channels: number,
  draw: (g: Builder, w: Weights, map: Value) => Value,
  more: Partial<Pick<DecoderStage, "addsResidual" | "keepsInput" | "scale">> = {},
): DecoderStage => ({
  name,
  groups: null,
  addsResidual: false,
  keepsInput: false,
  scale: 1,
  ...more,
  draw(index, height, width) {
    const g = createBuilder();
    const map = g.input("map", [1, channels, height + 2, width + 2]);
    return finished(g, draw(g, scope(g, index, name), map));
  },
});

/** The decoder for tiles: levels with attention, which sees the whole map, in one graph, and those after them in stages. */
function inTiles(c: DcConfig): Pick<DrawnAutoencoder, "drawHead" | "headScale" | "stages"> {
  const lowest = c.decoder.length - 1;
  const attending = c.decoder.findIndex(({ scales }) => scales !== null);
  /** Lowest number of a level of the head. */
  const until = attending < 0 ? lowest : attending;
  return {
    headScale: 2 ** (lowest - until),
    drawHead(index, height, width) {
      const g = createBuilder();
      const w = scope(g, index, "decoder");
      let x = entrance(g, c, w, height, width);
      for (let i = lowest; i >= until; i--) x = up(g, c, w, x, i);
      return g.finish({ output: x });
    },
    stages() {
      const stages: DecoderStage[] = [];
      let from = c.decoder[until]?.channels ?? 1;
      for (let i = until - 1; i >= 0; i--) {
        const { channels, layers } = c.decoder[i] ?? { channels: from, layers: 0 };
        const place = `decoder.up_blocks.${i}`;
        stages.push(stage(`${place}.0`, from, (g, w, map) => doubledTile(g, c, w, map, channels), { scale: 2 }));
        for (let j = 1; j <= layers; j++) stages.push(...residualStages(`${place}.${j}`, channels));
        from = channels;
      }
      const first = (g: Builder, w: Weights, map: Value) => g.relu(channelNorm(g, w, inside(g, map)));
      const last = (g: Builder, w: Weights, map: Value) => conv(g, w, map, c.pixelChannels, VALID);
      return [...stages, stage("decoder.norm_out", from, first), stage("decoder.conv_out", from, last)];
    },
  };
}

/** A residual block as two stages, each with a convolution. */
function residualStages(name: string, channels: number): DecoderStage[] {
  return [
    stage(name, channels, (g, w, map) => conv(g, w.at("conv1"), map, channels, VALID), { keepsInput: true }),
    stage(
      name,
      channels,
      (g, w, map) => {
        const y = channelNorm(
          g,
          w.at("norm"),
          conv(g, w.at("conv2"), g.silu(map), channels, { bias: false, ...VALID }),
        );
        return g.add(g.input("residual", y.shape), y);
      },
      { addsResidual: true },
    ),
  ];
}

/** `doubled` for a tile with its border. */
function doubledTile(g: Builder, c: DcConfig, w: Weights, map: Value, channels: number): Value {
  const inner = inside(g, map);
  const shortcut = shuffled(g, repeated(g, inner, (channels * 4) / known(map.shape[1])));
  if (c.shuffles) return g.add(shuffled(g, conv(g, w.at("conv"), map, 4 * channels, VALID)), shortcut);
  const large = g.resizeNearest(map, 2 * known(map.shape[2]), 2 * known(map.shape[3]));
  return g.add(conv(g, w.at("conv"), inside(g, large), channels, VALID), shortcut);
}
