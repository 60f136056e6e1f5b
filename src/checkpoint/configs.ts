/** Infers a network's config from tensor names (diffusers' and transformers') and shapes, and from its family where these are ambiguous. */
import { FileError } from "../errors.js";
import { FAMILIES, type Family, type Shapes } from "../families/index.js";

export type Config = Readonly<Record<string, unknown>>;

/** Reads dimensions by name. */
export function reader(file: string, shapes: Shapes) {
  const keys = [...shapes.keys()];
  return {
    keys,
    dim: (key: string, i: number): number => {
      const size = shapes.get(key)?.[i];
      if (size === undefined) throw new FileError(file, `${key} is missing`);
      return size;
    },
    /** Number of distinct values of the pattern's first group. */
    many: (pattern: RegExp): number => new Set(keys.flatMap((k) => pattern.exec(k)?.[1] ?? [])).size,
  };
}

interface Level {
  readonly channels: number;
  /** Transformer blocks of each layer; null for a layer without attention. */
  readonly depths: readonly (number | null)[];
}

/** Config of a UNet. @throws FileError when a tensor is missing, or no diffusers config can describe the network */
export function unetConfig(file: string, shapes: Shapes, family: Family): Config {
  const { keys, dim, many } = reader(file, shapes);
  const depthAt = (place: string): number | null =>
    shapes.has(`${place}.proj_in.weight`)
      ? many(new RegExp(`^${place.replaceAll(".", "\\.")}\\.transformer_blocks\\.(\\d+)\\.`))
      : null;
  const levels = (side: "down" | "up"): Level[] =>
    Array.from({ length: many(new RegExp(`^${side}_blocks\\.(\\d+)\\.`)) }, (_, i) => {
      const block = `${side}_blocks.${i}`;
      const layers = many(new RegExp(`^${side}_blocks\\.${i}\\.resnets\\.(\\d+)\\.`));
      return {
        channels: dim(`${block}.resnets.0.conv1.weight`, 0),
        depths: Array.from({ length: layers }, (__, j) => depthAt(`${block}.attentions.${j}`)),
      };
    });
  const [down, up] = [levels("down"), levels("up")];
  const middle = keys.some((k) => k.startsWith("mid_block.")) ? { depth: depthAt("mid_block.attentions.0") } : null;
  const crosses = (level: Level) => level.depths.some((d) => d !== null);
  const depths = (all: readonly Level[]) => all.map((l) => l.depths.map((d) => d ?? 0));
  const channels = down.map((l) => l.channels);
  const context = keys.find((k) => k.endsWith(".attn2.to_k.weight"));
  const projection = keys.find((k) => k.endsWith(".proj_in.weight"));
  const label = shapes.get("add_embedding.linear_1.weight");
  const { unet, latents } = FAMILIES[family];
  return {
    sample_size: latents.side,
    in_channels: dim("conv_in.weight", 1),
    out_channels: dim("conv_out.weight", 0),
    block_out_channels: channels,
    down_block_types: down.map((l) => (crosses(l) ? "CrossAttnDownBlock2D" : "DownBlock2D")),
    up_block_types: up.map((l) => (crosses(l) ? "CrossAttnUpBlock2D" : "UpBlock2D")),
    mid_block_type: middle && (middle.depth === null ? "UNetMidBlock2D" : "UNetMidBlock2DCrossAttn"),
    layers_per_block: down.map((l) => l.depths.length),
    // The middle block uses the last of these, regardless of the depth of the adjacent levels.
    transformer_layers_per_block: withMiddle(file, depths(down), middle?.depth ?? null),
    reverse_transformer_layers_per_block: depths(up),
    attention_head_dim: unet.heads ?? channels.map((c) => Math.max(1, Math.floor(c / unet.headFeatures))),
    cross_attention_dim: context === undefined ? 1280 : dim(context, 1),
    use_linear_projection: projection !== undefined && shapes.get(projection)?.length === 2,
    time_cond_proj_dim: shapes.get("time_embedding.cond_proj.weight")?.[1] ?? null,
    ...(label && {
      addition_embed_type: "text_time",
      addition_time_embed_dim: SIZE_FEATURES,
      projection_class_embeddings_input_dim: label[1],
    }),
  };
}

/** Embedding features of each of SDXL's six size and crop values. */
const SIZE_FEATURES = 256;

/** Adds the middle block's depth: a config gives it as the first depth of the last level, which may have no transformers. */
function withMiddle(file: string, depths: readonly (readonly number[])[], middle: number | null): number[][] {
  const last = depths.at(-1) ?? [];
  if (middle === null) return depths.map((own) => [...own]);
  if (last[0] && last[0] !== middle) {
    throw new FileError(
      file,
      `its middle block has ${middle} transformers, the level beside it ${last[0]}; no config of diffusers can say so`,
    );
  }
  return depths.map((own, i) => (i === depths.length - 1 ? own.map((d) => d || middle) : [...own]));
}

/**
 * Config of an AutoencoderKL, with or without its encoder.
 * @param scaling scale of the latents; undefined: not known yet, and omitted from the config
 */
export function autoencoderConfig(file: string, shapes: Shapes, scaling: number | undefined, upcast: boolean): Config {
  const { dim, many } = reader(file, shapes);
  const levels = many(/^decoder\.up_blocks\.(\d+)\./);
  const channels = Array.from({ length: levels }, (_, i) =>
    dim(`decoder.up_blocks.${levels - 1 - i}.resnets.0.conv2.weight`, 0),
  );
  return {
    in_channels: 3,
    out_channels: dim("decoder.conv_out.weight", 0),
    block_out_channels: channels,
    down_block_types: channels.map(() => "DownEncoderBlock2D"),
    up_block_types: channels.map(() => "UpDecoderBlock2D"),
    latent_channels: dim("decoder.conv_in.weight", 1),
    layers_per_block: many(/^decoder\.up_blocks\.0\.resnets\.(\d+)\./) - 1,
    ...(scaling !== undefined && { scaling_factor: scaling }),
    force_upcast: upcast,
    use_quant_conv: shapes.has("quant_conv.weight"),
    use_post_quant_conv: shapes.has("post_quant_conv.weight"),
    mid_block_add_attention: [...shapes.keys()].some((k) => k.startsWith("decoder.mid_block.attentions.")),
  };
}

/** Config of FLUX.2's autoencoder from that of an AutoencoderKL: its decoder may be narrower than its encoder. */
export function foldedConfig(config: Config, shapes: Shapes): Config {
  const channels = [...shapes].flatMap(([key, [outputs = 0]]) =>
    /^encoder\.down_blocks\.\d+\.resnets\.0\.conv2\.weight$/.test(key) ? [[key, outputs] as const] : [],
  );
  const encoder = channels.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, outputs]) => outputs);
  const decoder = config["block_out_channels"];
  return { ...config, block_out_channels: encoder.length > 0 ? encoder : decoder, decoder_block_out_channels: decoder };
}

/** Config of Qwen-Image's autoencoder, with or without its encoder. The statistics of the latents are its class's. */
export function wanConfig(file: string, shapes: Shapes): Config {
  const { dim, many } = reader(file, shapes);
  const levels = many(/^decoder\.up_blocks\.(\d+)\./);
  const base = dim("decoder.conv_out.weight", 1);
  return {
    base_dim: base,
    z_dim: dim("decoder.conv_in.weight", 1),
    dim_mult: Array.from(
      { length: levels },
      (_, i) => dim(`decoder.up_blocks.${levels - 1 - i}.resnets.0.conv2.weight`, 0) / base,
    ),
    num_res_blocks: many(/^decoder\.up_blocks\.0\.resnets\.(\d+)\./) - 1,
    input_channels: dim("decoder.conv_out.weight", 0),
  };
}

/** Config of an AutoencoderTiny. A missing half is described as the mirror of the other. */
export function tinyAutoencoderConfig(file: string, shapes: Shapes): Config {
  const halves = { decoder: blocksOf(shapes, "decoder"), encoder: blocksOf(shapes, "encoder") };
  const decoder = halves.decoder.length > 0 ? halves.decoder : halves.encoder.toReversed();
  const encoder = halves.encoder.length > 0 ? halves.encoder : halves.decoder.toReversed();
  if (decoder.length === 0) throw new FileError(file, "has no layers of a TAESD");
  const last = Math.max(
    -1,
    ...[...shapes.keys()].map((k) => Number(/^encoder\.layers\.(\d+)\.weight$/.exec(k)?.[1] ?? -1)),
  );
  const entry = shapes.get("decoder.layers.0.weight");
  return {
    latent_channels: entry?.[1] ?? shapes.get(`encoder.layers.${last}.weight`)?.[0] ?? 4,
    decoder_block_out_channels: decoder.map(() => entry?.[0] ?? shapes.get("encoder.layers.0.weight")?.[0] ?? 64),
    encoder_block_out_channels: encoder.map(() => shapes.get("encoder.layers.0.weight")?.[0] ?? entry?.[0] ?? 64),
    num_decoder_blocks: decoder,
    num_encoder_blocks: encoder,
  };
}

/** Number of residual blocks in each level of one half, from the layer indices. */
function blocksOf(shapes: Shapes, half: "encoder" | "decoder"): number[] {
  const layers = new Map<number, "block" | "plain">();
  for (const key of shapes.keys()) {
    const [, name, layer, kind = ""] = /^(encoder|decoder)\.layers\.(\d+)\.(conv\.0|weight)/.exec(key) ?? [];
    if (name === half) layers.set(Number(layer), kind === "weight" ? "plain" : "block");
  }
  const ordered = [...layers].sort(([a], [b]) => a - b).map(([, kind]) => kind);
  // Every plain convolution ends a level, except the first one, which is the input layer.
  const counts: number[] = [];
  let open = 0;
  for (const kind of ordered.slice(1)) {
    if (kind === "block") open++;
    else {
      counts.push(open);
      open = 0;
    }
  }
  return counts;
}

/** Features of an attention head, the same in every CLIP text encoder. */
const CLIP_HEAD = 64;

/**
 * Config of a CLIP text encoder with transformers' tensor names, prefix `text_model.` included.
 * @param act activation function: "quick_gelu" for OpenAI's models, "gelu" for OpenCLIP's
 */
export function clipConfig(file: string, shapes: Shapes, act: "quick_gelu" | "gelu"): Config {
  const { dim, many } = reader(file, shapes);
  const hidden = dim("text_model.embeddings.token_embedding.weight", 1);
  return {
    vocab_size: dim("text_model.embeddings.token_embedding.weight", 0),
    hidden_size: hidden,
    intermediate_size: dim("text_model.encoder.layers.0.mlp.fc1.weight", 0),
    num_hidden_layers: many(/encoder\.layers\.(\d+)\.mlp\.fc1\.weight$/),
    num_attention_heads: Math.max(1, Math.floor(hidden / CLIP_HEAD)),
    max_position_embeddings: dim("text_model.embeddings.position_embedding.weight", 0),
    projection_dim: shapes.get("text_projection.weight")?.[0] ?? hidden,
    hidden_act: act,
    eos_token_id: 49407,
    bos_token_id: 49406,
    pad_token_id: 1,
  };
}
