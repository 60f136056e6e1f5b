/**
 * SANA's autoencoder (DC-AE) in one file: its tensors' names in EfficientViT's code, which its authors' file has, beside those of diffusers, and its config
 * from shapes. Loaded when one is read.
 */
import type { Renamed, Shapes } from "../families/index.js";
import { type Config, reader } from "./configs.js";

/** Blocks of a half: its name in diffusers, and in the file. */
const HALVES = [
  ["encoder.down_blocks.*.*", "encoder.stages.*.op_list.*", "main.conv"],
  ["decoder.up_blocks.*.*", "decoder.stages.*.op_list.*", "main.conv.conv"],
] as const;

const blocks = (own: string, other: string, resampling: string): Renamed[] => [
  { own: `${own}.conv`, other: `${other}.${resampling}` },
  { own: `${own}.conv1`, other: `${other}.main.conv1.conv` },
  { own: `${own}.conv2`, other: `${other}.main.conv2.conv` },
  { own: `${own}.norm`, other: `${other}.main.conv2.norm` },
  ...["to_q", "to_k", "to_v"].map((name, i): Renamed => {
    return { own: `${own}.attn.${name}`, other: `${other}.context_module.main.qkv.conv`, share: [i, 3] };
  }),
  { own: `${own}.attn.to_qkv_multiscale.*.proj_in`, other: `${other}.context_module.main.aggreg.*.0` },
  { own: `${own}.attn.to_qkv_multiscale.*.proj_out`, other: `${other}.context_module.main.aggreg.*.1` },
  { own: `${own}.attn.to_out`, other: `${other}.context_module.main.proj.conv` },
  { own: `${own}.attn.norm_out`, other: `${other}.context_module.main.proj.norm` },
  { own: `${own}.conv_out.conv_inverted`, other: `${other}.local_module.main.inverted_conv.conv` },
  { own: `${own}.conv_out.conv_depth`, other: `${other}.local_module.main.depth_conv.conv` },
  { own: `${own}.conv_out.conv_point`, other: `${other}.local_module.main.point_conv.conv` },
  { own: `${own}.conv_out.norm`, other: `${other}.local_module.main.point_conv.norm` },
];

export const DC_NAMES: readonly Renamed[] = [
  { own: "encoder.conv_in", other: "encoder.project_in.conv" },
  { own: "encoder.conv_out", other: "encoder.project_out.main.op_list.0.conv" },
  { own: "decoder.conv_in", other: "decoder.project_in.main.conv" },
  { own: "decoder.norm_out", other: "decoder.project_out.op_list.0" },
  { own: "decoder.conv_out", other: "decoder.project_out.op_list.2.conv" },
  ...HALVES.flatMap(([own, other, resampling]) => blocks(own, other, resampling)),
];

/** A level of a half of SANA's autoencoder: its blocks, and the convolution to the next level, which the decoder has before and the encoder after them. */
function deepLevel(shapes: Shapes, half: "encoder.down_blocks" | "decoder.up_blocks", i: number) {
  const blocks = new Set([...shapes.keys()].flatMap((k) => k.split(`${half}.${i}.`)[1]?.split(".")[0] ?? []));
  const sampler = [...blocks].find((j) => shapes.has(`${half}.${i}.${j}.conv.weight`));
  const first = `${half}.${i}.${[...blocks].find((j) => j !== sampler) ?? 0}`;
  const attended = shapes.get(`${first}.attn.to_out.weight`);
  const scale = (k: number) => shapes.get(`${first}.attn.to_qkv_multiscale.${k}.proj_in.weight`)?.at(-1);
  return {
    layers: blocks.size - (sampler === undefined ? 0 : 1),
    channels: attended?.[0] ?? shapes.get(`${first}.conv1.weight`)?.[0] ?? 0,
    kind: attended ? "EfficientViTBlock" : "ResBlock",
    scales: [0, 1, 2, 3].flatMap((k) => scale(k) ?? []),
    sampled: shapes.get(`${half}.${i}.${sampler}.conv.weight`)?.[0],
    head: shapes.get(`${first}.attn.to_qkv_multiscale.0.proj_out.weight`)?.[1],
  };
}

/** Config of SANA's autoencoder, an AutoencoderDC, with both halves. Its shortcuts have no tensors: published ones have them. */
export function deepConfig(file: string, shapes: Shapes): Config {
  const { dim, many } = reader(file, shapes);
  const halves = { encoder: "encoder.down_blocks", decoder: "decoder.up_blocks" } as const;
  const levels = Object.fromEntries(
    Object.entries(halves).map(([half, place]) => {
      const n = many(new RegExp(`^${place.replace(".", "\\.")}\\.(\\d+)\\.`));
      return [half, Array.from({ length: n }, (_, i) => deepLevel(shapes, place, i))];
    }),
  );
  const { encoder = [], decoder = [] } = levels;
  const head = [...decoder, ...encoder].flatMap((level) => level.head ?? [])[0];
  const described = Object.entries({ encoder, decoder }).map(([half, own]) => ({
    [`${half}_block_types`]: own.map(({ kind }) => kind),
    [`${half}_block_out_channels`]: own.map(({ channels }) => channels),
    [`${half}_layers_per_block`]: own.map(({ layers }) => layers),
    [`${half}_qkv_multiscales`]: own.map(({ scales }) => scales),
  }));
  return {
    in_channels: dim("decoder.conv_out.weight", 0),
    latent_channels: dim("decoder.conv_in.weight", 1),
    ...(head !== undefined && { attention_head_dim: head }),
    ...Object.assign({}, ...described),
    upsample_block_type: decoder[0]?.sampled === decoder[0]?.channels ? "interpolate" : "pixel_shuffle",
    downsample_block_type: encoder[0]?.sampled === encoder[1]?.channels ? "conv" : "pixel_unshuffle",
  };
}
