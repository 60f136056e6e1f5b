/** Infers the configs of transformers from tensor names and shapes: denoisers, T5, Qwen and Gemma; and llama.cpp's names of the latter. */
import { GEMMA2_NAMES, ownTensors, QWEN_NAMES, type Shapes, T5_NAMES } from "../families/index.js";
import { type Config, reader } from "./configs.js";

/** Features of a head that Z-Image rotates by frame, row and column, as shares. */
const AXES = [1 / 4, 3 / 8, 3 / 8] as const;

/** Config of a Z-Image transformer with diffusers' names. @throws FileError when a tensor is missing */
function zImageConfig(file: string, shapes: Shapes): Config {
  const { dim, many } = reader(file, shapes);
  const features = dim("all_x_embedder.2-1.weight", 0);
  const width = shapes.get("layers.0.attention.norm_q.weight")?.[0] ?? 128;
  return {
    in_channels: dim("all_x_embedder.2-1.weight", 1) / 4,
    dim: features,
    n_layers: many(/^layers\.(\d+)\./),
    n_refiner_layers: many(/^noise_refiner\.(\d+)\./),
    n_heads: features / width,
    qk_norm: shapes.has("layers.0.attention.norm_q.weight"),
    cap_feat_dim: dim("cap_embedder.0.weight", 0),
    axes_dims: AXES.map((share) => share * width),
  };
}

/** Config of a FLUX.2 transformer with diffusers' names. @throws FileError when a tensor is missing */
function flux2Config(file: string, shapes: Shapes): Config {
  const { dim, many } = reader(file, shapes);
  const features = dim("x_embedder.weight", 0);
  const width = dim("transformer_blocks.0.attn.norm_q.weight", 0);
  return {
    in_channels: dim("x_embedder.weight", 1),
    num_layers: many(/^transformer_blocks\.(\d+)\./),
    num_single_layers: many(/^single_transformer_blocks\.(\d+)\./),
    attention_head_dim: width,
    num_attention_heads: features / width,
    joint_attention_dim: dim("context_embedder.weight", 1),
    timestep_guidance_channels: dim("time_guidance_embed.timestep_embedder.linear_1.weight", 1),
    mlp_ratio: dim("transformer_blocks.0.ff.linear_out.weight", 1) / features,
    axes_dims_rope: [1, 1, 1, 1].map((share) => (share * width) / 4),
    guidance_embeds: shapes.has("time_guidance_embed.guidance_embedder.linear_1.weight"),
  };
}

/** Sizes of FLUX.1's blocks, which Chroma has too. */
function flux1Sizes(file: string, shapes: Shapes): Config {
  const { dim, many } = reader(file, shapes);
  const width = dim("transformer_blocks.0.attn.norm_q.weight", 0);
  const turned = 2 * Math.round((7 / 32) * width);
  return {
    in_channels: dim("x_embedder.weight", 1),
    out_channels: dim("proj_out.weight", 0),
    num_layers: many(/^transformer_blocks\.(\d+)\./),
    num_single_layers: many(/^single_transformer_blocks\.(\d+)\./),
    attention_head_dim: width,
    num_attention_heads: dim("x_embedder.weight", 0) / width,
    joint_attention_dim: dim("context_embedder.weight", 1),
    axes_dims_rope: [width - 2 * turned, turned, turned],
  };
}

/** Config of a FLUX.1 transformer with diffusers' names. @throws FileError when a tensor is missing */
const flux1Config = (file: string, shapes: Shapes): Config => ({
  ...flux1Sizes(file, shapes),
  pooled_projection_dim: reader(file, shapes).dim("time_text_embed.text_embedder.linear_1.weight", 1),
  guidance_embeds: shapes.has("time_text_embed.guidance_embedder.linear_1.weight"),
});

/** Config of a Chroma transformer with diffusers' names. @throws FileError when a tensor is missing */
function chromaConfig(file: string, shapes: Shapes): Config {
  const { dim, many } = reader(file, shapes);
  return {
    ...flux1Sizes(file, shapes),
    approximator_num_channels: dim("distilled_guidance_layer.in_proj.weight", 1),
    approximator_hidden_dim: dim("distilled_guidance_layer.in_proj.weight", 0),
    approximator_layers: many(/^distilled_guidance_layer\.layers\.(\d+)\./),
  };
}

/** Config of a Stable Diffusion 3 transformer with diffusers' names. @throws FileError when a tensor is missing */
function sd3Config(file: string, shapes: Shapes): Config {
  const { dim, many } = reader(file, shapes);
  const features = dim("context_embedder.weight", 0);
  const norm = shapes.get("transformer_blocks.0.attn.norm_q.weight")?.[0];
  const layers = many(/^transformer_blocks\.(\d+)\./);
  const width = norm ?? 64;
  return {
    in_channels: dim("pos_embed.proj.weight", 1),
    out_channels: dim("proj_out.weight", 0) / 4,
    num_layers: layers,
    attention_head_dim: width,
    num_attention_heads: features / width,
    joint_attention_dim: dim("context_embedder.weight", 1),
    caption_projection_dim: features,
    pooled_projection_dim: dim("time_text_embed.text_embedder.linear_1.weight", 1),
    pos_embed_max_size: Math.sqrt(shapes.get("pos_embed.pos_embed")?.at(-2) ?? 0),
    dual_attention_layers: Array.from({ length: layers }, (_, i) => i).filter((i) =>
      shapes.has(`transformer_blocks.${i}.attn2.to_q.weight`),
    ),
    qk_norm: norm === undefined ? null : "rms_norm",
  };
}

/** Config of a Qwen-Image transformer. @throws FileError when a tensor is missing */
function qwenImageConfig(file: string, shapes: Shapes): Config {
  const { dim, many } = reader(file, shapes);
  const features = dim("img_in.weight", 0);
  const width = dim("transformer_blocks.0.attn.norm_q.weight", 0);
  const turned = 2 * Math.round((7 / 32) * width);
  return {
    in_channels: dim("img_in.weight", 1),
    out_channels: dim("proj_out.weight", 0) / 4,
    num_layers: many(/^transformer_blocks\.(\d+)\./),
    attention_head_dim: width,
    num_attention_heads: features / width,
    joint_attention_dim: dim("txt_in.weight", 1),
    axes_dims_rope: [width - 2 * turned, turned, turned],
  };
}

/** Features of a head among image tokens, and heads of the attention to the text by width, of published models: shapes do not determine them. */
const SANA_HEAD = 32;
const SANA_CROSS_HEADS: Readonly<Record<number, number>> = { 1152: 16, 2240: 20 };

/** Config of a SANA transformer with diffusers' names. @throws FileError when a tensor is missing */
function sanaConfig(file: string, shapes: Shapes): Config {
  const { dim, many } = reader(file, shapes);
  const features = dim("patch_embed.proj.weight", 0);
  const first = "transformer_blocks.0";
  const cross = SANA_CROSS_HEADS[features];
  return {
    in_channels: dim("patch_embed.proj.weight", 1),
    out_channels: dim("proj_out.weight", 0),
    num_layers: many(/^transformer_blocks\.(\d+)\./),
    cross_attention_dim: features,
    caption_channels: dim("caption_projection.linear_1.weight", 1),
    mlp_ratio: dim(`${first}.ff.conv_point.weight`, 1) / features,
    attention_bias: shapes.has(`${first}.attn1.to_q.bias`),
    qk_norm: shapes.has(`${first}.attn1.norm_q.weight`) ? "rms_norm_across_heads" : null,
    guidance_embeds: shapes.has("time_embed.guidance_embedder.linear_1.weight"),
    ...(cross !== undefined && {
      num_attention_heads: features / SANA_HEAD,
      attention_head_dim: SANA_HEAD,
      num_cross_attention_heads: cross,
      cross_attention_head_dim: features / cross,
    }),
  };
}

const CONFIGS: Readonly<Record<string, (file: string, shapes: Shapes) => Config>> = {
  ChromaTransformer2DModel: chromaConfig,
  FluxTransformer2DModel: flux1Config,
  Flux2Transformer2DModel: flux2Config,
  QwenImageTransformer2DModel: qwenImageConfig,
  SanaTransformer2DModel: sanaConfig,
  SD3Transformer2DModel: sd3Config,
  ZImageTransformer2DModel: zImageConfig,
};

/** Config of a transformer with diffusers' names. @throws FileError when a tensor is missing */
export const transformerConfig = (className: string, file: string, shapes: Shapes): Config =>
  CONFIGS[className]?.(file, shapes) ?? {};

/** Config of an encoder of T5 1.1. @throws FileError when a tensor is missing */
export function t5Config(file: string, shapes: Shapes): Config {
  const { dim, many } = reader(file, shapes);
  const first = "encoder.block.0.layer";
  const table = shapes.has("shared.weight") ? "shared.weight" : "encoder.embed_tokens.weight";
  const heads = dim(`${first}.0.SelfAttention.relative_attention_bias.weight`, 1);
  return {
    model_type: "t5",
    d_model: dim(table, 1),
    vocab_size: dim(table, 0),
    d_ff: dim(`${first}.1.DenseReluDense.wi_0.weight`, 0),
    d_kv: dim(`${first}.0.SelfAttention.q.weight`, 0) / heads,
    num_layers: many(/^encoder\.block\.(\d+)\./),
    num_heads: heads,
    relative_attention_num_buckets: dim(`${first}.0.SelfAttention.relative_attention_bias.weight`, 0),
  };
}

/** Whether a language model of Qwen normalises the heads of queries and keys. */
export const isQwen3 = (shapes: Shapes): boolean => shapes.has("layers.0.self_attn.q_norm.weight");

/** Features of a head of Qwen2.5, which no tensor tells. */
const QWEN25_HEAD = 128;

/** Config of a Qwen3 or of Qwen2.5-VL's language part without its head. @throws FileError when a tensor is missing */
export function languageModelConfig(file: string, shapes: Shapes): Config {
  const { dim, many } = reader(file, shapes);
  const first = "layers.0.self_attn";
  const width = isQwen3(shapes) ? dim(`${first}.q_norm.weight`, 0) : QWEN25_HEAD;
  return {
    model_type: isQwen3(shapes) ? "qwen3" : "qwen2_5_vl_text",
    hidden_size: dim("embed_tokens.weight", 1),
    vocab_size: dim("embed_tokens.weight", 0),
    intermediate_size: dim("layers.0.mlp.gate_proj.weight", 0),
    num_hidden_layers: many(/^layers\.(\d+)\./),
    num_attention_heads: dim(`${first}.q_proj.weight`, 0) / width,
    num_key_value_heads: dim(`${first}.k_proj.weight`, 0) / width,
    head_dim: width,
    rope_theta: 1_000_000,
  };
}

/** Whether a language model is Gemma 2, which has norms on both sides of its layers. */
export const isGemma2 = (shapes: Shapes): boolean => shapes.has("layers.0.pre_feedforward_layernorm.weight");

/** Features of a head of Gemma 2 2B, by whose square root queries are divided; no tensor tells. */
const GEMMA_HEAD = 256;

/** Config of Gemma 2 without its head. @throws FileError when a tensor is missing */
export function gemma2Config(file: string, shapes: Shapes): Config {
  const { dim, many } = reader(file, shapes);
  return {
    model_type: "gemma2",
    hidden_size: dim("embed_tokens.weight", 1),
    vocab_size: dim("embed_tokens.weight", 0),
    intermediate_size: dim("layers.0.mlp.gate_proj.weight", 0),
    num_hidden_layers: many(/^layers\.(\d+)\./),
    num_attention_heads: dim("layers.0.self_attn.q_proj.weight", 0) / GEMMA_HEAD,
    num_key_value_heads: dim("layers.0.self_attn.k_proj.weight", 0) / GEMMA_HEAD,
    head_dim: GEMMA_HEAD,
    query_pre_attn_scalar: GEMMA_HEAD,
  };
}

/** Names that llama.cpp gives the tensors of a text encoder → transformers' names. */
export function llamaNames(keys: readonly string[]): Map<string, string> {
  const names = keys.includes("enc.output_norm.weight")
    ? T5_NAMES
    : keys.includes("blk.0.post_ffw_norm.weight")
      ? GEMMA2_NAMES
      : QWEN_NAMES;
  return new Map([...ownTensors(names, keys)].map(([name, { key }]) => [key, name]));
}
