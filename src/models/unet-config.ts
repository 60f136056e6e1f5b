/** Parses UNet2DConditionModel configs into a list of blocks. All variants of the config format are resolved here. */
import { z } from "zod";
import { UnsupportedConfigError } from "../errors.js";
import { absent, type ConfigFile, integer, oneOf, parseConfig } from "./config.js";
import type { Sinusoid } from "./embedding.js";

/** Cross-attention transformers of one block. */
export interface AttentionConfig {
  readonly heads: number;
  /** Features of the text conditioning. */
  readonly contextFeatures: number;
  /** Number of transformer blocks in each layer; may be 0. */
  readonly depths: readonly number[];
  /** The first attention of each transformer block is cross-attention too (`only_cross_attention`). */
  readonly onlyCross: boolean;
}

/** A down or up block. */
export interface BlockConfig {
  readonly channels: number;
  readonly layers: number;
  readonly attention: AttentionConfig | null;
  /** The block ends with a down- or upsampler. */
  readonly resamples: boolean;
}

/** A parsed UNet2DConditionModel config. */
export interface UNetConfig {
  readonly inChannels: number;
  readonly outChannels: number;
  /** Groups and epsilon of the group norms of residual blocks. */
  readonly groups: number;
  readonly epsilon: number;
  /** Sinusoidal embedding of the timestep, and the width of the time embedding after its MLP. */
  readonly time: Sinusoid;
  readonly timeFeatures: number;
  /** Features of the guidance embedding (LCM); null without one. */
  readonly guidanceFeatures: number | null;
  /** SDXL's embedding of pooled text and image sizes (`text_time`), with the features of both together; null without one. */
  readonly textTime: { readonly sinusoid: Sinusoid; readonly features: number } | null;
  readonly downsamplePadding: number;
  readonly convInKernel: number;
  readonly convOutKernel: number;
  readonly down: readonly BlockConfig[];
  /** Middle block; null when absent. Without attention it is a single residual block. */
  readonly mid: { readonly channels: number; readonly attention: AttentionConfig | null } | null;
  readonly up: readonly BlockConfig[];
  /** Features of the text conditioning, D. */
  readonly contextFeatures: number;
  /** Latent height and width the model was trained for; null where the config does not state them. */
  readonly sampleSize: readonly [number, number] | null;
}

const perBlock = <T extends z.ZodType>(item: T) => z.union([item, z.array(item)]);
const depth = z.union([integer(0), z.array(integer(0))], { error: "a number or a list of numbers for each block" });

const schema = z.object({
  sample_size: z.union([integer(), z.tuple([integer(), integer()])]).nullish(),
  in_channels: integer().default(4),
  out_channels: integer().default(4),
  center_input_sample: oneOf([false], false),
  flip_sin_to_cos: z.boolean().default(true),
  freq_shift: z.number().default(0),
  down_block_types: z
    .array(z.enum(["CrossAttnDownBlock2D", "DownBlock2D"], { error: "CrossAttnDownBlock2D, DownBlock2D" }))
    .default(["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"]),
  mid_block_type: z
    .enum(["UNetMidBlock2DCrossAttn", "UNetMidBlock2D"], { error: "UNetMidBlock2DCrossAttn, UNetMidBlock2D, null" })
    .nullable()
    .default("UNetMidBlock2DCrossAttn"),
  up_block_types: z
    .array(z.enum(["CrossAttnUpBlock2D", "UpBlock2D"], { error: "CrossAttnUpBlock2D, UpBlock2D" }))
    .default(["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]),
  only_cross_attention: perBlock(z.boolean()).default(false),
  block_out_channels: z.array(integer()).min(1).default([320, 640, 1280, 1280]),
  layers_per_block: perBlock(integer()).default(2),
  downsample_padding: oneOf([0, 1], 1),
  mid_block_scale_factor: oneOf([1], 1),
  act_fn: oneOf(["silu", "swish"], "silu"),
  norm_num_groups: integer().default(32),
  norm_eps: z.number().positive().default(1e-5),
  cross_attention_dim: perBlock(integer()).default(1280),
  transformer_layers_per_block: z
    .union([integer(0), z.array(depth)], { error: "a number or a list for each block" })
    .default(1),
  reverse_transformer_layers_per_block: z.array(depth).nullish(),
  encoder_hid_dim: absent,
  encoder_hid_dim_type: absent,
  attention_head_dim: perBlock(integer()).default(8),
  num_attention_heads: absent,
  dual_cross_attention: absent,
  use_linear_projection: z.boolean().default(false),
  class_embed_type: absent,
  addition_embed_type: z.literal("text_time", { error: "null, text_time" }).nullish(),
  addition_time_embed_dim: integer().nullish(),
  num_class_embeds: absent,
  upcast_attention: z.boolean().nullish(),
  resnet_time_scale_shift: oneOf(["default"], "default"),
  resnet_skip_time_act: absent,
  resnet_out_scale_factor: oneOf([1], 1),
  time_embedding_type: oneOf(["positional"], "positional"),
  time_embedding_dim: integer().nullish(),
  time_embedding_act_fn: absent,
  timestep_post_act: absent,
  time_cond_proj_dim: integer().nullish(),
  conv_in_kernel: integer().default(3),
  conv_out_kernel: integer().default(3),
  projection_class_embeddings_input_dim: integer().nullish(),
  attention_type: oneOf(["default"], "default"),
  class_embeddings_concat: absent,
  cross_attention_norm: absent,
});

type Parsed = z.output<typeof schema>;
type Refuse = (key: keyof Parsed, supported: string) => never;

/** Parses a UNet2DConditionModel config. @throws UnsupportedConfigError naming the unsupported key */
export function parseUNetConfig(source: ConfigFile): UNetConfig {
  const c = parseConfig(schema, source);
  const refuse: Refuse = (key, supported) => {
    throw new UnsupportedConfigError({ file: source.file, key, actual: source.config[key], supported });
  };
  const blocks = blocksOf(c, refuse);
  const sinusoid = (features: number): Sinusoid => ({ features, cosFirst: c.flip_sin_to_cos, shift: c.freq_shift });
  const first = c.block_out_channels[0] ?? 1;
  if (first % 2 !== 0) refuse("block_out_channels", "an even first number");
  const textTime = c.addition_embed_type && {
    sinusoid: sinusoid(c.addition_time_embed_dim ?? refuse("addition_time_embed_dim", "a number, with text_time")),
    features:
      c.projection_class_embeddings_input_dim ??
      refuse("projection_class_embeddings_input_dim", "a number, with text_time"),
  };
  const size = c.sample_size;
  return {
    inChannels: c.in_channels,
    outChannels: c.out_channels,
    groups: c.norm_num_groups,
    epsilon: c.norm_eps,
    time: sinusoid(first),
    timeFeatures: c.time_embedding_dim ?? first * 4,
    guidanceFeatures: c.time_cond_proj_dim ?? null,
    textTime: textTime ?? null,
    downsamplePadding: c.downsample_padding,
    convInKernel: c.conv_in_kernel,
    convOutKernel: c.conv_out_kernel,
    ...blocks,
    sampleSize: typeof size === "number" ? [size, size] : (size ?? null),
  };
}

/** Blocks of a config, with values that are given once repeated for each block. */
function blocksOf(c: Parsed, refuse: Refuse): Pick<UNetConfig, "down" | "mid" | "up" | "contextFeatures"> {
  const blocks = c.block_out_channels.length;
  const spread = <T>(key: keyof Parsed, value: T | readonly T[]): readonly T[] => {
    if (!Array.isArray(value)) return Array.from({ length: blocks }, () => value as T);
    return value.length === blocks ? value : refuse(key, `one value, or a list of ${blocks} (one for each block)`);
  };
  if (c.block_out_channels.some((n) => n % c.norm_num_groups !== 0)) {
    refuse(
      "norm_num_groups",
      `a number that divides every one of block_out_channels (${c.block_out_channels.join(", ")})`,
    );
  }
  const [downTypes, upTypes] = [
    spread("down_block_types", c.down_block_types),
    spread("up_block_types", c.up_block_types),
  ];
  const layers = spread("layers_per_block", c.layers_per_block);
  const contexts = spread("cross_attention_dim", c.cross_attention_dim);
  const depths = spread<number | readonly number[]>("transformer_layers_per_block", c.transformer_layers_per_block);
  const upDepths = c.reverse_transformer_layers_per_block ?? depths.toReversed();
  if (!c.reverse_transformer_layers_per_block && depths.some((d) => typeof d !== "number")) {
    refuse("transformer_layers_per_block", "lists in lists only together with reverse_transformer_layers_per_block");
  }
  const heads = spread("attention_head_dim", c.attention_head_dim);
  const onlyCross = spread("only_cross_attention", c.only_cross_attention);

  /** Attention of down block i, or of the up block that mirrors it. */
  const attention = (i: number, n: number, depth: number | readonly number[], key: keyof Parsed): AttentionConfig => {
    const list = typeof depth === "number" ? Array.from({ length: n }, () => depth) : depth;
    if ((c.block_out_channels[i] ?? 0) % (heads[i] ?? 1) !== 0)
      refuse("attention_head_dim", "head counts that divide the channels of their block");
    if (list.length < n) refuse(key, `a depth for each of the ${n} layers of a block`);
    return {
      heads: heads[i] ?? 1,
      contextFeatures: contexts[i] ?? 1,
      depths: list.slice(0, n),
      onlyCross: onlyCross[i] ?? false,
    };
  };
  const down = c.block_out_channels.map((channels, i): BlockConfig => {
    const n = layers[i] ?? 1;
    const crosses = downTypes[i] === "CrossAttnDownBlock2D";
    return {
      channels,
      layers: n,
      attention: crosses ? attention(i, n, depths[i] ?? 1, "transformer_layers_per_block") : null,
      resamples: i < blocks - 1,
    };
  });
  const up = c.block_out_channels.toReversed().map((channels, i): BlockConfig => {
    const mirror = blocks - 1 - i;
    const n = (layers[mirror] ?? 1) + 1;
    const crosses = upTypes[i] === "CrossAttnUpBlock2D";
    return {
      channels,
      layers: n,
      attention: crosses ? attention(mirror, n, upDepths[i] ?? 1, "reverse_transformer_layers_per_block") : null,
      resamples: i < blocks - 1,
    };
  });
  const last = blocks - 1;
  const crosses = c.mid_block_type === "UNetMidBlock2DCrossAttn";
  const mid = c.mid_block_type && {
    channels: c.block_out_channels[last] ?? 1,
    attention: crosses
      ? { ...attention(last, 1, depths[last] ?? 1, "transformer_layers_per_block"), onlyCross: false }
      : null,
  };
  return { down, mid, up, contextFeatures: contexts[0] ?? 1 };
}
