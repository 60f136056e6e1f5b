/** Infers the configs of transformers from tensor names and shapes: Z-Image's denoiser and Qwen3. */
import type { Shapes } from "../families/index.js";
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

const CONFIGS: Readonly<Record<string, (file: string, shapes: Shapes) => Config>> = {
  ZImageTransformer2DModel: zImageConfig,
};

/** Config of a transformer with diffusers' names. @throws FileError when a tensor is missing */
export const transformerConfig = (className: string, file: string, shapes: Shapes): Config =>
  CONFIGS[className]?.(file, shapes) ?? {};

/** Config of a Qwen3 without its head. @throws FileError when a tensor is missing */
export function languageModelConfig(file: string, shapes: Shapes): Config {
  const { dim, many } = reader(file, shapes);
  const first = "layers.0.self_attn";
  const width = dim(`${first}.q_norm.weight`, 0);
  return {
    model_type: "qwen3",
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
