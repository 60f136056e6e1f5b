/** Transformer families at the sizes of their released models: the configs of their parts, as data for random checkpoints. */
import { type Family, factsOf } from "../src/families/index.js";

type Config = Readonly<Record<string, unknown>>;

/** A part of a checkpoint, with its config as diffusers or transformers writes it. */
export interface PartConfig {
  readonly className: string;
  readonly config: Config;
}

/** A family as it is measured. */
export interface FamilyModel {
  readonly family: Family;
  /** Display name. */
  readonly title: string;
  readonly transformer: Config;
  /** Numbers of blocks in the config of the transformer of which only a few are compared with PyTorch. */
  readonly few: Config;
  /** Features of the pooled text; absent where the transformer reads none. */
  readonly pooled?: number;
  /** Text encoders by folder. */
  readonly text: Readonly<Record<string, PartConfig>>;
  readonly decoder: PartConfig;
}

/** A language model of Qwen, 3 unless the type says otherwise. */
const qwen = (
  hidden_size: number,
  intermediate_size: number,
  num_hidden_layers: number,
  heads: number,
  more: Config,
) => ({
  hidden_size,
  intermediate_size,
  num_hidden_layers,
  num_attention_heads: heads,
  rope_theta: 1_000_000,
  ...more,
});

const QWEN3_4B: PartConfig = {
  className: "Qwen3Model",
  config: qwen(2560, 9728, 36, 32, { model_type: "qwen3", num_key_value_heads: 8, head_dim: 128, vocab_size: 151_936 }),
};

const T5_XXL: PartConfig = {
  className: "T5EncoderModel",
  config: {
    model_type: "t5",
    d_model: 4096,
    d_kv: 64,
    d_ff: 10_240,
    num_layers: 24,
    num_heads: 64,
    vocab_size: 32_128,
    feed_forward_proj: "gated-gelu",
    relative_attention_num_buckets: 32,
  },
};

const clip = (
  className: string,
  hidden_size: number,
  layers: number,
  heads: number,
  hidden_act: string,
): PartConfig => ({
  className,
  config: {
    hidden_size,
    intermediate_size: 4 * hidden_size,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    hidden_act,
    projection_dim: hidden_size,
    eos_token_id: 49_407,
  },
});

const kl = (more: Config): PartConfig => ({
  className: "AutoencoderKL",
  config: {
    block_out_channels: [128, 256, 512, 512],
    down_block_types: Array.from({ length: 4 }, () => "DownEncoderBlock2D"),
    up_block_types: Array.from({ length: 4 }, () => "UpDecoderBlock2D"),
    layers_per_block: 2,
    ...more,
  },
});
const of16 = (family: Family) => {
  const { scale, shift = 0 } = factsOf(family).latents;
  const own = { latent_channels: 16, scaling_factor: scale, shift_factor: shift };
  return kl({ ...own, use_quant_conv: false, use_post_quant_conv: false });
};

const FLUX_BLOCKS = {
  in_channels: 64,
  num_layers: 19,
  num_single_layers: 38,
  attention_head_dim: 128,
  num_attention_heads: 24,
  joint_attention_dim: 4096,
  axes_dims_rope: [16, 56, 56],
};

/** By the name that `--family` takes. */
export const FAMILY_MODELS = {
  "z-image": {
    family: "zimage",
    title: "Z-Image",
    transformer: {
      in_channels: 16,
      dim: 3840,
      n_layers: 30,
      n_refiner_layers: 2,
      n_heads: 30,
      n_kv_heads: 30,
      qk_norm: true,
      cap_feat_dim: 2560,
      axes_dims: [32, 48, 48],
      axes_lens: [1024, 512, 512],
    },
    few: { n_layers: 3, n_refiner_layers: 1 },
    text: { text_encoder: QWEN3_4B },
    decoder: of16("zimage"),
  },
  "flux2-klein-4b": {
    family: "flux2",
    title: "FLUX.2 klein 4B",
    transformer: {
      in_channels: 128,
      num_layers: 5,
      num_single_layers: 20,
      attention_head_dim: 128,
      num_attention_heads: 24,
      joint_attention_dim: 7680,
      axes_dims_rope: [32, 32, 32, 32],
      guidance_embeds: false,
    },
    few: { num_layers: 1, num_single_layers: 4 },
    text: { text_encoder: QWEN3_4B },
    decoder: { ...kl({ latent_channels: 32 }), className: "AutoencoderKLFlux2" },
  },
  flux1: {
    family: "flux1",
    title: "FLUX.1",
    transformer: { ...FLUX_BLOCKS, pooled_projection_dim: 768, guidance_embeds: true },
    few: { num_layers: 1, num_single_layers: 2 },
    pooled: 768,
    text: { text_encoder: clip("CLIPTextModel", 768, 12, 12, "quick_gelu"), text_encoder_2: T5_XXL },
    decoder: of16("flux1"),
  },
  chroma: {
    family: "chroma",
    title: "Chroma",
    transformer: FLUX_BLOCKS,
    few: { num_layers: 1, num_single_layers: 2 },
    text: { text_encoder: T5_XXL },
    decoder: of16("chroma"),
  },
  "sd3.5-medium": {
    family: "sd3",
    title: "Stable Diffusion 3.5 medium",
    transformer: {
      in_channels: 16,
      out_channels: 16,
      sample_size: 128,
      num_layers: 24,
      attention_head_dim: 64,
      num_attention_heads: 24,
      joint_attention_dim: 4096,
      caption_projection_dim: 1536,
      pooled_projection_dim: 2048,
      pos_embed_max_size: 384,
      dual_attention_layers: Array.from({ length: 13 }, (_, i) => i),
      qk_norm: "rms_norm",
    },
    few: { num_layers: 3, dual_attention_layers: [0, 1] },
    pooled: 2048,
    text: {
      text_encoder: clip("CLIPTextModelWithProjection", 768, 12, 12, "quick_gelu"),
      text_encoder_2: clip("CLIPTextModelWithProjection", 1280, 32, 20, "gelu"),
      text_encoder_3: T5_XXL,
    },
    decoder: of16("sd3"),
  },
  "qwen-image": {
    family: "qwenimage",
    title: "Qwen-Image",
    transformer: {
      in_channels: 64,
      out_channels: 16,
      num_layers: 60,
      attention_head_dim: 128,
      num_attention_heads: 24,
      joint_attention_dim: 3584,
      axes_dims_rope: [16, 56, 56],
    },
    few: { num_layers: 3 },
    text: {
      text_encoder: {
        className: "Qwen2_5_VLForConditionalGeneration",
        config: qwen(3584, 18_944, 28, 28, {
          model_type: "qwen2_5_vl_text",
          num_key_value_heads: 4,
          vocab_size: 152_064,
        }),
      },
    },
    decoder: { className: "AutoencoderKLQwenImage", config: { base_dim: 96, z_dim: 16 } },
  },
  sana: {
    family: "sana",
    title: "SANA 1.6B",
    transformer: { in_channels: 32, out_channels: 32, num_layers: 20, caption_channels: 2304, sample_size: 32 },
    few: { num_layers: 3 },
    text: {
      text_encoder: {
        className: "Gemma2Model",
        config: {
          model_type: "gemma2",
          hidden_size: 2304,
          intermediate_size: 9216,
          num_hidden_layers: 26,
          num_attention_heads: 8,
          num_key_value_heads: 4,
          head_dim: 256,
          query_pre_attn_scalar: 256,
          vocab_size: 256_000,
        },
      },
    },
    decoder: {
      className: "AutoencoderDC",
      config: {
        encoder_block_types: [...Array(3).fill("ResBlock"), ...Array(3).fill("EfficientViTBlock")],
        decoder_block_types: [...Array(3).fill("ResBlock"), ...Array(3).fill("EfficientViTBlock")],
        downsample_block_type: "conv",
        upsample_block_type: "interpolate",
        scaling_factor: 0.41407,
      },
    },
  },
} as const satisfies Readonly<Record<string, FamilyModel>>;

export type FamilyName = keyof typeof FAMILY_MODELS;
export const FAMILY_NAMES = Object.keys(FAMILY_MODELS) as readonly FamilyName[];
