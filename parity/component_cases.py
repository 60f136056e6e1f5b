"""Which tiny networks there are, and which checkpoints they make up. All are grown from seeds; none is trained."""

import functools
import json
import math

from .components import EMBEDDED, component
from .scheduler_cases import FILES, SD

# --- UNets -----------------------------------------------------------------------------------------------------------

CROSS, PLAIN = "CrossAttnDownBlock2D", "DownBlock2D"
CROSS_UP, PLAIN_UP = "CrossAttnUpBlock2D", "UpBlock2D"

# As files from diffusers 0.6 have it: nothing that came later is named.
SD1_UNET = {
    "act_fn": "silu", "attention_head_dim": 8, "block_out_channels": [16, 32, 48, 48], "center_input_sample": False,
    "cross_attention_dim": 32, "down_block_types": [CROSS, CROSS, CROSS, PLAIN], "downsample_padding": 1,
    "flip_sin_to_cos": True, "freq_shift": 0, "in_channels": 4, "layers_per_block": 2, "mid_block_scale_factor": 1,
    "norm_eps": 1e-05, "norm_num_groups": 8, "out_channels": 4, "sample_size": 8,
    "up_block_types": [PLAIN_UP, CROSS_UP, CROSS_UP, CROSS_UP],
}  # fmt: skip
SD2_UNET = {**SD1_UNET, "attention_head_dim": [2, 4, 6, 6], "dual_cross_attention": False, "num_class_embeds": None,
            "only_cross_attention": False, "upcast_attention": True, "use_linear_projection": True}  # fmt: skip
SDXL_UNET = {
    "act_fn": "silu", "addition_embed_type": "text_time", "addition_embed_type_num_heads": 64,
    "addition_time_embed_dim": 8, "attention_head_dim": [1, 2, 3], "block_out_channels": [16, 32, 48],
    "center_input_sample": False, "class_embed_type": None, "class_embeddings_concat": False, "conv_in_kernel": 3,
    "conv_out_kernel": 3, "cross_attention_dim": 80, "cross_attention_norm": None,
    "down_block_types": [PLAIN, CROSS, CROSS], "downsample_padding": 1, "dual_cross_attention": False,
    "encoder_hid_dim": None, "encoder_hid_dim_type": None, "flip_sin_to_cos": True, "freq_shift": 0, "in_channels": 4,
    "layers_per_block": 2, "mid_block_only_cross_attention": None, "mid_block_scale_factor": 1,
    "mid_block_type": "UNetMidBlock2DCrossAttn", "norm_eps": 1e-05, "norm_num_groups": 8, "num_attention_heads": None,
    "num_class_embeds": None, "only_cross_attention": False, "out_channels": 4,
    "projection_class_embeddings_input_dim": 72, "resnet_out_scale_factor": 1.0, "resnet_skip_time_act": False,
    "resnet_time_scale_shift": "default", "sample_size": 8, "time_cond_proj_dim": None, "time_embedding_act_fn": None,
    "time_embedding_dim": None, "time_embedding_type": "positional", "timestep_post_act": None,
    "transformer_layers_per_block": [1, 2, 3], "up_block_types": [CROSS_UP, CROSS_UP, PLAIN_UP],
    "upcast_attention": None, "use_linear_projection": True,
}  # fmt: skip
# Segmind's prunings of SDXL: depths of their own for every layer on the way up, and no attention in the middle.
SEGMIND = {**SDXL_UNET, "mid_block_type": None, "transformer_layers_per_block": [0, [2, 2], [4, 4]],
           "reverse_transformer_layers_per_block": [[4, 4, 10], [2, 1, 1], 1]}  # fmt: skip

# Three levels, one layer each: the smallest network that has every kind of block.
SMALL = {
    "block_out_channels": [16, 32, 32], "down_block_types": [CROSS, CROSS, PLAIN], "layers_per_block": 1,
    "up_block_types": [PLAIN_UP, CROSS_UP, CROSS_UP], "cross_attention_dim": 24, "attention_head_dim": 4,
    "norm_num_groups": 8, "sample_size": 8,
}  # fmt: skip
VARIANTS = {
    "unet-mid-absent": {"mid_block_type": None},
    "unet-mid-plain": {"mid_block_type": "UNetMidBlock2D"},
    "unet-layers-per-block": {"layers_per_block": [1, 3, 2]},
    "unet-text-per-block": {"cross_attention_dim": [24, 24, 24], "attention_head_dim": [4, 8, 2]},
    "unet-norms": {"norm_num_groups": 4, "norm_eps": 0.002, "act_fn": "swish"},
    "unet-time": {"flip_sin_to_cos": False, "freq_shift": 1, "time_embedding_dim": 40},
    "unet-time-shift": {"flip_sin_to_cos": True, "freq_shift": 1},
    "unet-kernels": {"conv_in_kernel": 5, "conv_out_kernel": 1, "downsample_padding": 0, "in_channels": 9},
    "unet-only-cross": {"only_cross_attention": True},
    "unet-only-cross-list": {"only_cross_attention": [True, False, False], "use_linear_projection": True},
    "unet-depths": {"transformer_layers_per_block": [2, 1, 3]},
    "unet-depths-own-way-up": {"transformer_layers_per_block": [2, [3], 1], "down_block_types": [PLAIN, CROSS, CROSS],
                               "up_block_types": [CROSS_UP, PLAIN_UP, CROSS_UP], "use_linear_projection": True,
                               "reverse_transformer_layers_per_block": [[0, 2], 1, [1, 3]]},
    "unet-two-levels": {"block_out_channels": [16, 24], "down_block_types": [PLAIN, CROSS],
                        "up_block_types": [CROSS_UP, PLAIN_UP]},
    "unet-one-level": {"block_out_channels": [16], "down_block_types": [CROSS], "up_block_types": [CROSS_UP]},
    "unet-no-attention": {"down_block_types": [PLAIN] * 3, "up_block_types": [PLAIN_UP] * 3},
}  # fmt: skip

# --- text and image encoders -------------------------------------------------------------------------------------------

# The embedded tokenizers' vocabulary and length, so that prompts run through whole pipelines.
VOCABULARY = json.loads((EMBEDDED / "base" / "tokenizer" / "vocab.json").read_text())
START, END = VOCABULARY["<|startoftext|>"], VOCABULARY["<|endoftext|>"]
TOKENS = {"vocab_size": len(VOCABULARY), "max_position_embeddings": 32, "bos_token_id": START, "eos_token_id": END,
          "pad_token_id": END, "model_type": "clip_text_model", "layer_norm_eps": 1e-05}  # fmt: skip
TEXT_SD1 = {**TOKENS, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4,
            "hidden_act": "quick_gelu", "projection_dim": 32}  # fmt: skip
TEXT_SD2 = {**TEXT_SD1, "hidden_act": "gelu", "num_hidden_layers": 3}
TEXT_SDXL_1 = {**TEXT_SD1, "num_hidden_layers": 3}
TEXT_SDXL_2 = {**TOKENS, "hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 4, "num_attention_heads": 3,
               "hidden_act": "gelu", "projection_dim": 24}  # fmt: skip
TEXT_SD3 = {**TEXT_SD1, "num_hidden_layers": 3, "projection_dim": 20}
ONE_LAYER = {"num_hidden_layers": 1}
TEXT_OLD_EOS = {**TEXT_SDXL_2, "eos_token_id": 2, "bos_token_id": 0, "pad_token_id": 1, "hidden_act": "quick_gelu"}
CLIP = {
    "model_type": "clip", "projection_dim": 20, "logit_scale_init_value": 2.6592,
    "text_config": {**TEXT_SD1, "num_hidden_layers": 2},
    "vision_config": {"model_type": "clip_vision_model", "hidden_size": 36, "intermediate_size": 72,
                      "num_hidden_layers": 3, "num_attention_heads": 3, "image_size": 24, "patch_size": 6,
                      "hidden_act": "quick_gelu", "layer_norm_eps": 1e-05, "num_channels": 3},
}  # fmt: skip

# --- autoencoders --------------------------------------------------------------------------------------------------------

KL = {
    "act_fn": "silu", "block_out_channels": [8, 16, 16], "down_block_types": ["DownEncoderBlock2D"] * 3,
    "in_channels": 3, "latent_channels": 4, "layers_per_block": 1, "norm_num_groups": 4, "out_channels": 3,
    "sample_size": 32, "up_block_types": ["UpDecoderBlock2D"] * 3,
}  # fmt: skip
KL_SDXL = {**KL, "scaling_factor": 0.13025, "force_upcast": True, "layers_per_block": 2, "latents_mean": None,
           "latents_std": None, "shift_factor": None}  # fmt: skip
KL_STATISTICS = {**KL_SDXL, "layers_per_block": 1, "scaling_factor": 0.5, "latents_mean": [0.1, -0.2, 0.3, -0.4],
                 "latents_std": [1.5, 0.5, 2.0, 0.75]}  # fmt: skip
# FLUX.1's, which Z-Image has too, and its TAESD.
KL_FLUX = {**KL, "latent_channels": 16, "scaling_factor": 0.3611, "shift_factor": 0.1159, "force_upcast": True,
           "use_quant_conv": False, "use_post_quant_conv": False}  # fmt: skip
# Qwen-Image's: Wan's network for video.
WAN = {"base_dim": 8, "z_dim": 16, "dim_mult": [1, 2, 2], "num_res_blocks": 1, "attn_scales": [], "temperal_downsample": [False, True], "dropout": 0.0,
       "latents_mean": [-0.7, 0.4, 0.1, -1.2, 0.0, 0.3, -0.2, 1.5, 0.6, -0.1, 0.2, -0.9, 0.8, -0.4, 0.5, -0.3],
       "latents_std": [2.8, 1.4, 2.3, 2.6, 1.2, 1.7, 0.6, 2.1, 3.2, 2.2, 0.9, 1.5, 1.6, 1.1, 2.5, 1.9]}  # fmt: skip
TINY = {
    "act_fn": "relu", "block_out_channels": [8, 8, 8], "decoder_block_out_channels": [8, 8, 8],
    "encoder_block_out_channels": [8, 8, 8], "force_upcast": False, "in_channels": 3, "latent_channels": 4,
    "latent_magnitude": 3, "latent_shift": 0.5, "num_decoder_blocks": [3, 2, 1], "num_encoder_blocks": [1, 2, 3],
    "out_channels": 3, "scaling_factor": 1.0, "upsampling_scaling_factor": 2,
}  # fmt: skip


# --- diffusion transformers ------------------------------------------------------------------------------------------------

Z_IMAGE = {"all_patch_size": [2], "all_f_patch_size": [1], "in_channels": 16, "dim": 32, "n_layers": 2, "n_refiner_layers": 1,
           "n_heads": 2, "n_kv_heads": 2, "norm_eps": 1e-05, "qk_norm": True, "cap_feat_dim": 24, "rope_theta": 256.0,
           "t_scale": 1000.0, "axes_dims": [8, 4, 4], "axes_lens": [1024, 64, 64]}  # fmt: skip
Z_IMAGE_VARIANTS = {
    "z-image": {},
    # Written by a later diffusers, which names the image encoder that it does not have.
    "z-image-fast": {"siglip_feat_dim": None},
    # Only a width above 256 shows that the time embedding is 256 wide.
    "z-image-wide": {"dim": 288, "n_layers": 1, "n_heads": 18, "n_kv_heads": 18, "in_channels": 4},
    "z-image-other": {"qk_norm": False, "norm_eps": 1e-03, "rope_theta": 10000.0, "t_scale": 500.0, "n_refiner_layers": 2,
                      "n_layers": 1, "axes_dims": [4, 4, 8]},
    # The norms of queries and keys have an epsilon of their own.
    "z-image-norms": {"norm_eps": 1e-03, "n_layers": 1},
}  # fmt: skip

FLUX2 = {"patch_size": 1, "in_channels": 16, "out_channels": None, "num_layers": 2, "num_single_layers": 2, "attention_head_dim": 16,
         "num_attention_heads": 2, "joint_attention_dim": 24, "timestep_guidance_channels": 256, "mlp_ratio": 3.0,
         "axes_dims_rope": [4, 4, 4, 4], "rope_theta": 2000, "eps": 1e-06, "guidance_embeds": False}  # fmt: skip
FLUX2_VARIANTS = {
    "flux2": {},
    "flux2-fast": {},
    "flux2-other": {"axes_dims_rope": [2, 6, 4, 8], "attention_head_dim": 20, "mlp_ratio": 2.5, "num_layers": 1, "eps": 1e-03, "guidance_embeds": True,
                    "in_channels": 8, "timestep_guidance_channels": 32, "rope_theta": 100},
}  # fmt: skip

FLUX1 = {"patch_size": 1, "in_channels": 64, "out_channels": None, "num_layers": 2, "num_single_layers": 2, "attention_head_dim": 16,
         "num_attention_heads": 2, "joint_attention_dim": 24, "pooled_projection_dim": 32, "guidance_embeds": True,
         "axes_dims_rope": [4, 4, 8]}  # fmt: skip
FLUX1_VARIANTS = {
    "flux1": {},
    "flux1-fast": {"guidance_embeds": False},
    "flux1-other": {"axes_dims_rope": [2, 6, 4], "attention_head_dim": 12, "num_attention_heads": 3, "num_layers": 1, "num_single_layers": 3,
                    "in_channels": 16, "pooled_projection_dim": 20},
}  # fmt: skip

CHROMA = {"patch_size": 1, "in_channels": 64, "out_channels": None, "num_layers": 2, "num_single_layers": 2, "attention_head_dim": 16,
          "num_attention_heads": 2, "joint_attention_dim": 24, "axes_dims_rope": [4, 4, 8], "approximator_num_channels": 64,
          "approximator_hidden_dim": 20, "approximator_layers": 3}  # fmt: skip
CHROMA_VARIANTS = {
    "chroma": {},
    "chroma-fast": {},
    "chroma-other": {"axes_dims_rope": [2, 6, 4], "attention_head_dim": 12, "num_attention_heads": 3, "num_layers": 1, "num_single_layers": 3,
                     "in_channels": 16, "approximator_num_channels": 24, "approximator_layers": 1},
}  # fmt: skip

SD3 = {"sample_size": 4, "patch_size": 2, "in_channels": 16, "out_channels": 16, "num_layers": 3, "attention_head_dim": 16, "num_attention_heads": 2,
       "joint_attention_dim": 96, "caption_projection_dim": 32, "pooled_projection_dim": 44, "pos_embed_max_size": 9,
       "dual_attention_layers": [0, 2], "qk_norm": "rms_norm"}  # fmt: skip
SD3_VARIANTS = {
    # As 3.5 medium; as 3.5 large and its turbo; as 3 medium.
    "sd3": {},
    "sd3-fast": {"dual_attention_layers": [], "num_layers": 2, "attention_head_dim": 12, "num_attention_heads": 4, "caption_projection_dim": 48, "pos_embed_max_size": 8},
    "sd3-other": {"dual_attention_layers": [], "qk_norm": None, "num_layers": 1, "attention_head_dim": 8, "num_attention_heads": 3, "caption_projection_dim": 24,
                  "in_channels": 4, "out_channels": 4, "joint_attention_dim": 20, "pooled_projection_dim": 12, "pos_embed_max_size": 5},
    # Its pooled text is that of a single file, where CLIP ViT-L has no projection.
    "sd3-file": {"pooled_projection_dim": 56, "num_layers": 2},
}  # fmt: skip

QWEN_IMAGE = {"patch_size": 2, "in_channels": 64, "out_channels": 16, "num_layers": 2, "attention_head_dim": 16, "num_attention_heads": 2,
              "joint_attention_dim": 32, "guidance_embeds": False, "axes_dims_rope": [4, 6, 6]}  # fmt: skip
QWEN_IMAGE_VARIANTS = {
    "qwen-image": {},
    # Written by a later diffusers, which names what the variants for editing and for layers have.
    "qwen-image-fast": {"zero_cond_t": False, "use_additional_t_cond": False, "use_layer3d_rope": False},
    "qwen-image-other": {"axes_dims_rope": [8, 2, 2], "attention_head_dim": 12, "num_attention_heads": 3, "num_layers": 1, "in_channels": 16, "out_channels": 4},
}  # fmt: skip

SANA = {"in_channels": 8, "out_channels": 8, "num_attention_heads": 4, "attention_head_dim": 8, "num_layers": 2, "num_cross_attention_heads": 2,
        "cross_attention_head_dim": 16, "cross_attention_dim": 32, "caption_channels": 24, "mlp_ratio": 2.5, "dropout": 0.0, "attention_bias": False,
        "sample_size": 32, "patch_size": 1, "norm_elementwise_affine": False, "norm_eps": 1e-06, "interpolation_scale": None}  # fmt: skip
SANA_VARIANTS = {
    # As SANA-1.5 and SANA-Sprint of 1.6 B; as a first SANA with positions, a trained width of heads and another factor on the time.
    "sana": {"qk_norm": "rms_norm_across_heads", "guidance_embeds": False, "timestep_scale": 1.0},
    "sana-sprint": {"qk_norm": "rms_norm_across_heads", "guidance_embeds": True, "guidance_embeds_scale": 0.1, "num_layers": 3},
    "sana-other": {"qk_norm": None, "interpolation_scale": 2.0, "num_attention_heads": 3, "attention_head_dim": 4, "num_cross_attention_heads": 5, "cross_attention_head_dim": 4,
                   "cross_attention_dim": 12, "in_channels": 4, "out_channels": 4, "mlp_ratio": 1.7, "attention_bias": True, "norm_eps": 1e-03, "timestep_scale": 0.001, "sample_size": 4, "num_layers": 1},
}  # fmt: skip

# --- language models ---------------------------------------------------------------------------------------------------------

# The Hub's config of Qwen3-4B in small: more heads of queries than of keys, and heads wider than features / heads.
QWEN3 = {"model_type": "qwen3", "attention_bias": False, "hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 4,
         "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "hidden_act": "silu", "rms_norm_eps": 1e-06,
         "rope_theta": 1000000, "rope_scaling": None, "max_position_embeddings": 40960, "sliding_window": None,
         "use_sliding_window": False, "tie_word_embeddings": True, "vocab_size": 384}  # fmt: skip

# Qwen2.5-VL's with its vision tower: flat as the Hub's older files have it, and nested as transformers 5 writes it.
QWEN25_TEXT = {"hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2,
               "hidden_act": "silu", "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "max_position_embeddings": 128000,
               "rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 2]}, "use_sliding_window": False, "sliding_window": 32768,
               "max_window_layers": 3, "vocab_size": 384, "tie_word_embeddings": False}  # fmt: skip
QWEN25_VISION = {"model_type": "qwen2_5_vl", "depth": 1, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "out_hidden_size": 32,
                 "patch_size": 4, "window_size": 16, "fullatt_block_indexes": [0], "in_channels": 3, "spatial_merge_size": 2,
                 "temporal_patch_size": 2}  # fmt: skip
QWEN25 = {"model_type": "qwen2_5_vl", **QWEN25_TEXT, "vision_config": QWEN25_VISION}
QWEN25_NESTED = {
    "model_type": "qwen2_5_vl", "tie_word_embeddings": False, "vision_config": {**QWEN25_VISION, "model_type": "qwen2_5_vl_vision"},
    "text_config": {**QWEN25_TEXT, "model_type": "qwen2_5_vl_text", "rms_norm_eps": 1e-03, "rope_theta": 10000.0,
                    "rope_scaling": {"type": "default", "rope_type": "default", "mrope_section": [1, 1, 2]}},
}  # fmt: skip


# Heads that are together wider than the hidden states, and a feed-forward width that no power of two divides.
T5 = {"model_type": "t5", "d_model": 24, "d_kv": 8, "d_ff": 37, "num_layers": 3, "num_heads": 4, "feed_forward_proj": "gated-gelu",
      "layer_norm_epsilon": 1e-06, "relative_attention_num_buckets": 32, "relative_attention_max_distance": 128, "dropout_rate": 0.1,
      "tie_word_embeddings": False, "vocab_size": 512, "pad_token_id": 0, "eos_token_id": 1}  # fmt: skip

# FLUX.2's text states are read after 9, 18 and 27 layers.
QWEN3_DEEP = {**QWEN3, "num_hidden_layers": 28, "hidden_size": 8, "intermediate_size": 16, "num_attention_heads": 2, "num_key_value_heads": 1}
KL_FLUX2 = {key: value for key, value in KL.items() if key != "scaling_factor"} | {"batch_norm_eps": 0.05, "patch_size": [2, 2], "use_quant_conv": True, "use_post_quant_conv": True, "mid_block_add_attention": True}
FLUX2_STRAY = [["bn.num_batches_tracked", []]]


# Gemma 2 2B in small, with scores that its bound changes, and a scale of queries that is not that of a head.
GEMMA2 = {"model_type": "gemma2", "hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2,
          "head_dim": 8, "hidden_activation": "gelu_pytorch_tanh", "hidden_act": "gelu_pytorch_tanh", "rms_norm_eps": 1e-06, "rope_theta": 10000.0, "attention_bias": False,
          "query_pre_attn_scalar": 3, "attn_logit_softcapping": 2.0, "final_logit_softcapping": 30.0, "sliding_window": 4096, "max_position_embeddings": 8192,
          "vocab_size": 520, "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2}  # fmt: skip


# DC-AE in small: SANA's decoder doubles pixels before a convolution, its encoder moves them into channels after one or has strides.
DC = {"in_channels": 3, "latent_channels": 8, "attention_head_dim": 4, "encoder_block_types": ["ResBlock", "ResBlock", "EfficientViTBlock"],
      "decoder_block_types": ["ResBlock", "ResBlock", "EfficientViTBlock"], "encoder_block_out_channels": [8, 16, 32],
      "decoder_block_out_channels": [8, 16, 32], "encoder_layers_per_block": [1, 2, 1], "decoder_layers_per_block": [2, 1, 2],
      "encoder_qkv_multiscales": [[], [], [5]], "decoder_qkv_multiscales": [[], [], [5]], "upsample_block_type": "interpolate",
      "downsample_block_type": "conv", "decoder_norm_types": "rms_norm", "decoder_act_fns": "silu", "scaling_factor": 0.41407}  # fmt: skip
DC_VARIANTS = {
    "vae-dc": {},
    "vae-dc-other": {"latent_channels": 4, "decoder_block_out_channels": [4, 8, 16], "encoder_block_out_channels": [4, 8, 8], "attention_head_dim": 2, "upsample_block_type": "pixel_shuffle", "downsample_block_type": "pixel_unshuffle",
                     "decoder_block_types": ["ResBlock", "EfficientViTBlock", "EfficientViTBlock"], "decoder_qkv_multiscales": [[], [], [3, 5]], "decoder_in_shortcut": True,
                     "encoder_out_shortcut": False, "scaling_factor": 0.7},
}  # fmt: skip


def unet(config, seed, **options):
    return component("diffusers", "UNet2DConditionModel", config, seed, **options)


def autoencoder(config, seed, **options):
    return component("diffusers", "AutoencoderKL", config, seed, **options)


def text(config, seed, projection=False, **options):
    class_name = "CLIPTextModelWithProjection" if projection else "CLIPTextModel"
    return component("transformers", class_name, config, seed, **options)


@functools.cache
def components():
    """Every component by name; seeds are far enough apart that no two weights are the same numbers."""
    found = {
        "unet-sd1": unet(SD1_UNET, 10_000, dtype="float16"),
        "unet-sd1-lcm": unet({**SMALL, "cross_attention_dim": 32, "time_cond_proj_dim": 16}, 12_000),
        "unet-sd2": unet(SD2_UNET, 20_000, dtype="bfloat16", storage="fp16"),
        "unet-sdxl": unet(SDXL_UNET, 30_000, storage="sharded"),
        "unet-sdxl-fast": unet(SDXL_UNET, 40_000, dtype="float16", storage="bin"),
        "unet-sdxl-sample": unet(SDXL_UNET, 45_000),
        "unet-sdxl-lcm": unet({**SDXL_UNET, "layers_per_block": 1, "time_cond_proj_dim": 32}, 50_000),
        "unet-segmind": unet(SEGMIND, 60_000),
        "unet-segmind-plain-mid": unet({**SEGMIND, "mid_block_type": "UNetMidBlock2D"}, 65_000, dtype="float16"),
    }
    for i, (name, changes) in enumerate(VARIANTS.items()):
        found[name] = unet({**SMALL, **changes}, 70_000 + 2_000 * i)
    for i, (name, changes) in enumerate(Z_IMAGE_VARIANTS.items()):
        config, storage = {**Z_IMAGE, **changes}, "sharded" if name == "z-image" else "whole"
        dtype = "bfloat16" if name == "z-image-fast" else "float32"
        found[name] = component("diffusers", "ZImageTransformer2DModel", config, 400_000 + 1_000 * i, dtype=dtype, storage=storage)
    for i, (name, changes) in enumerate(FLUX2_VARIANTS.items()):
        dtype = "bfloat16" if name == "flux2-fast" else "float32"
        found[name] = component("diffusers", "Flux2Transformer2DModel", {**FLUX2, **changes}, 430_000 + 1_000 * i, dtype=dtype)
    for i, (name, changes) in enumerate(FLUX1_VARIANTS.items()):
        dtype, storage = "bfloat16" if name == "flux1-fast" else "float32", "sharded" if name == "flux1" else "whole"
        found[name] = component("diffusers", "FluxTransformer2DModel", {**FLUX1, **changes}, 450_000 + 1_000 * i, dtype=dtype, storage=storage)
    for i, (name, changes) in enumerate(CHROMA_VARIANTS.items()):
        dtype, storage = "bfloat16" if name == "chroma-fast" else "float32", "sharded" if name == "chroma" else "whole"
        found[name] = component("diffusers", "ChromaTransformer2DModel", {**CHROMA, **changes}, 470_000 + 1_000 * i, dtype=dtype, storage=storage)
    for i, (name, changes) in enumerate(SD3_VARIANTS.items()):
        dtype, storage = "bfloat16" if name == "sd3-fast" else "float32", "sharded" if name == "sd3-other" else "whole"
        found[name] = component("diffusers", "SD3Transformer2DModel", {**SD3, **changes}, 490_000 + 1_000 * i, dtype=dtype, storage=storage)
    for i, (name, changes) in enumerate(QWEN_IMAGE_VARIANTS.items()):
        dtype, storage = "bfloat16" if name == "qwen-image-fast" else "float32", "sharded" if name == "qwen-image" else "whole"
        found[name] = component("diffusers", "QwenImageTransformer2DModel", {**QWEN_IMAGE, **changes}, 520_000 + 1_000 * i, dtype=dtype, storage=storage)
    for i, (name, changes) in enumerate(DC_VARIANTS.items()):
        found[name] = component("diffusers", "AutoencoderDC", {**DC, **changes}, 640_000 + 1_000 * i)
    for i, (name, changes) in enumerate(SANA_VARIANTS.items()):
        dtype, storage = "bfloat16" if name == "sana-sprint" else "float32", "sharded" if name == "sana" else "whole"
        found[name] = component("diffusers", "SanaTransformer2DModel", {**SANA, **changes}, 620_000 + 1_000 * i, dtype=dtype, storage=storage)
    found |= {
        "vae-qwen-image": component("diffusers", "AutoencoderKLQwenImage", WAN, 532_000, dtype="bfloat16"),
        "vae-qwen-image-deep": component("diffusers", "AutoencoderKLQwenImage", {**WAN, "z_dim": 4, "dim_mult": [1, 2, 3, 3], "num_res_blocks": 2, "temperal_downsample": [False, True, True], "latents_mean": [0.0] * 4, "latents_std": [1.0] * 4}, 535_000),
        # The first width is that of no level.
        "vae-qwen-image-first": component("diffusers", "AutoencoderKLQwenImage", {**WAN, "z_dim": 4, "dim_mult": [2, 3], "temperal_downsample": [True], "latents_mean": [0.0] * 4, "latents_std": [1.0] * 4}, 537_000),
        "qwen25": component("transformers", "Qwen2_5_VLForConditionalGeneration", QWEN25, 530_000, storage="sharded", naming="vision beside"),
        "qwen25-nested": component("transformers", "Qwen2_5_VLForConditionalGeneration", QWEN25_NESTED, 531_000, dtype="bfloat16"),
        "t5-wide": component("transformers", "T5EncoderModel", {**T5, "d_model": 96, "num_layers": 2}, 480_000, naming="tied"),
        "text-sd3": text(TEXT_SD3, 481_000, projection=True),
        "vae-sd3": autoencoder({**KL_FLUX, "scaling_factor": 1.5305, "shift_factor": 0.0609}, 482_000),
        "t5": component("transformers", "T5EncoderModel", T5, 460_000, storage="sharded", naming="tied"),
        "t5-other": component("transformers", "T5EncoderModel", {**T5, "relative_attention_num_buckets": 20, "relative_attention_max_distance": 50, "layer_norm_epsilon": 1e-03, "num_layers": 1}, 461_000, dtype="bfloat16", naming="tied"),
        "gemma2": component("transformers", "Gemma2Model", GEMMA2, 630_000, storage="sharded"),
        # As Gemma 2 2B in what a file does not tell: the width of heads and what follows from it.
        "gemma2-wide": component("transformers", "Gemma2Model", {**GEMMA2, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 256, "query_pre_attn_scalar": 256, "attn_logit_softcapping": 50.0}, 632_000),
        "gemma2-causal": component("transformers", "Gemma2ForCausalLM", {**GEMMA2, "attn_logit_softcapping": None, "num_hidden_layers": 1, "num_key_value_heads": 4, "query_pre_attn_scalar": 8, "rms_norm_eps": 1e-03, "rope_theta": 100.0}, 631_000, dtype="bfloat16", naming="tied"),
        "qwen3-deep": component("transformers", "Qwen3ForCausalLM", QWEN3_DEEP, 440_000, naming="tied"),
        "vae-flux2": component("diffusers", "AutoencoderKLFlux2", KL_FLUX2, 441_000, stray=FLUX2_STRAY),
        "vae-flux2-narrow": component("diffusers", "AutoencoderKLFlux2", {**KL_FLUX2, "decoder_block_out_channels": [4, 8, 12], "use_post_quant_conv": False}, 442_000, stray=FLUX2_STRAY),
        "qwen3": component("transformers", "Qwen3Model", QWEN3, 410_000),
        "qwen3-causal": component("transformers", "Qwen3ForCausalLM", {**QWEN3, "rms_norm_eps": 1e-04, "rope_theta": 10000}, 411_000, dtype="bfloat16", storage="sharded", naming="tied"),
        "vae-flux": autoencoder(KL_FLUX, 420_000),
        "taef1": component("diffusers", "AutoencoderTiny", {**TINY, "latent_channels": 16}, 421_000),
    }
    positions = [["text_model.embeddings.position_ids", [1, 32]]]
    found |= {
        "text-sd1": text(TEXT_SD1, 200_000, dtype="float16", naming="text_model.", stray=positions),
        "text-sd2": text(TEXT_SD2, 201_000, dtype="bfloat16", storage="fp16", naming="text_model."),
        "text-sdxl-1": text(TEXT_SDXL_1, 202_000),
        "text-sdxl-2": text(TEXT_SDXL_2, 203_000, projection=True, storage="bin"),
        "text-one-layer": text({**TEXT_SDXL_1, **ONE_LAYER}, 205_000),
        "text-one-layer-projection": text({**TEXT_SDXL_2, **ONE_LAYER}, 206_000, projection=True),
        "text-old-eos": text(TEXT_OLD_EOS, 204_000, projection=True, dtype="float16"),
        "clip": component("transformers", "CLIPModel", CLIP, 210_000, stray=[["vision_model.embeddings.position_ids", [1, 17]]]),
        "vae-sd1": autoencoder(KL, 300_000, dtype="float16", naming="old attention"),
        "vae-sdxl": autoencoder(KL_SDXL, 302_000),
        "vae-statistics": autoencoder(KL_STATISTICS, 304_000),
        "vae-shift": autoencoder({**KL, "scaling_factor": 0.7, "shift_factor": 0.15, "latent_channels": 8, "use_quant_conv": False, "use_post_quant_conv": False}, 306_000),
        "vae-no-mid-attention": autoencoder({**KL, "mid_block_add_attention": False, "norm_num_groups": 2, "block_out_channels": [6, 10], "down_block_types": ["DownEncoderBlock2D"] * 2, "up_block_types": ["UpDecoderBlock2D"] * 2}, 308_000),
        "vae-half-quant": autoencoder({**KL, "use_quant_conv": True, "use_post_quant_conv": False}, 310_000, dtype="bfloat16"),
        "taesd": component("diffusers", "AutoencoderTiny", TINY, 320_000, dtype="float16"),
        "taesd-default": component("diffusers", "AutoencoderTiny", {"decoder_block_out_channels": [8] * 4, "encoder_block_out_channels": [8] * 4, "block_out_channels": [8] * 4}, 322_000),
    }  # fmt: skip
    return found


SD_INDEX = {
    "_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.42.1", "feature_extractor": [None, None],
    "image_encoder": [None, None], "requires_safety_checker": False, "safety_checker": [None, None],
    "scheduler": ["diffusers", None], "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"], "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}  # fmt: skip
SDXL_INDEX = {
    "_class_name": "StableDiffusionXLPipeline", "_diffusers_version": "0.42.1", "feature_extractor": [None, None],
    "force_zeros_for_empty_prompt": True, "image_encoder": [None, None], "scheduler": ["diffusers", None],
    "text_encoder": ["transformers", "CLIPTextModel"], "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
    "tokenizer": ["transformers", "CLIPTokenizer"], "tokenizer_2": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
}  # fmt: skip


def sd(scheduler, unet_name, text_name, vae="vae-sd1"):
    index = {**SD_INDEX, "scheduler": ["diffusers", scheduler["_class_name"]]}
    return {"index": index, "scheduler": scheduler, "tokenizers": {"tokenizer": "base/tokenizer"},
            "components": {"unet": unet_name, "text_encoder": text_name, "vae": vae}}  # fmt: skip


def sdxl(scheduler, unet_name="unet-sdxl", vae="vae-sdxl", second="text-sdxl-2", **index):
    index = {**SDXL_INDEX, **index, "scheduler": ["diffusers", scheduler["_class_name"]]}
    tokenizers = {"tokenizer": "base/tokenizer", "tokenizer_2": "base/tokenizer_2"}
    parts = {"unet": unet_name, "text_encoder": "text-sdxl-1", "text_encoder_2": second, "vae": vae}
    return {"index": index, "scheduler": scheduler, "tokenizers": tokenizers, "components": parts}


Z_IMAGE_INDEX = {
    "_class_name": "ZImagePipeline", "_diffusers_version": "0.42.1", "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
    "text_encoder": ["transformers", "Qwen3Model"], "tokenizer": ["transformers", "Qwen2Tokenizer"],
    "transformer": ["diffusers", "ZImageTransformer2DModel"], "vae": ["diffusers", "AutoencoderKL"],
}  # fmt: skip


def z_image(shift, transformer):
    scheduler = {"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "use_dynamic_shifting": False, "shift": shift}
    parts = {"transformer": transformer, "text_encoder": "qwen3", "vae": "vae-flux"}
    return {"index": Z_IMAGE_INDEX, "scheduler": scheduler, "tokenizers": {"tokenizer": "../test/goldens/tokenizers/qwen"}, "components": parts}


FLUX2_INDEX = {
    "_class_name": "Flux2KleinPipeline", "_diffusers_version": "0.42.1", "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
    "text_encoder": ["transformers", "Qwen3ForCausalLM"], "tokenizer": ["transformers", "Qwen2TokenizerFast"],
    "transformer": ["diffusers", "Flux2Transformer2DModel"], "vae": ["diffusers", "AutoencoderKLFlux2"],
}  # fmt: skip


def klein(transformer, distilled, vae="vae-flux2"):
    scheduler = {"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "use_dynamic_shifting": True, "shift": 3.0,
                 "base_shift": 0.5, "max_shift": 1.15, "base_image_seq_len": 256, "max_image_seq_len": 4096,
                 "time_shift_type": "exponential"}  # fmt: skip
    parts = {"transformer": transformer, "text_encoder": "qwen3-deep", "vae": vae}
    index = {**FLUX2_INDEX, "is_distilled": distilled}
    return {"index": index, "scheduler": scheduler, "tokenizers": {"tokenizer": "../test/goldens/tokenizers/qwen"}, "components": parts}


FLUX1_INDEX = {
    "_class_name": "FluxPipeline", "_diffusers_version": "0.42.1", "feature_extractor": [None, None], "image_encoder": [None, None],
    "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"], "text_encoder": ["transformers", "CLIPTextModel"],
    "text_encoder_2": ["transformers", "T5EncoderModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
    "tokenizer_2": ["transformers", "T5TokenizerFast"], "transformer": ["diffusers", "FluxTransformer2DModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}  # fmt: skip


def flux1(transformer, **schedule):
    scheduler = {"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "base_shift": 0.5, "max_shift": 1.15,
                 "base_image_seq_len": 256, "max_image_seq_len": 4096, **schedule}  # fmt: skip
    parts = {"transformer": transformer, "text_encoder": "text-sdxl-1", "text_encoder_2": "t5", "vae": "vae-flux"}
    tokenizers = {"tokenizer": "base/tokenizer", "tokenizer_2": "../test/goldens/tokenizers/t5"}
    return {"index": FLUX1_INDEX, "scheduler": scheduler, "tokenizers": tokenizers, "components": parts}


CHROMA_INDEX = {
    "_class_name": "ChromaPipeline", "_diffusers_version": "0.42.1", "feature_extractor": [None, None], "image_encoder": [None, None],
    "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"], "text_encoder": ["transformers", "T5EncoderModel"],
    "tokenizer": ["transformers", "T5TokenizerFast"], "transformer": ["diffusers", "ChromaTransformer2DModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}  # fmt: skip


def chroma(transformer, **schedule):
    scheduler = {"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, **schedule}
    parts = {"transformer": transformer, "text_encoder": "t5", "vae": "vae-flux"}
    return {"index": CHROMA_INDEX, "scheduler": scheduler, "tokenizers": {"tokenizer": "../test/goldens/tokenizers/t5"}, "components": parts}


SD3_INDEX = {
    "_class_name": "StableDiffusion3Pipeline", "_diffusers_version": "0.42.1", "feature_extractor": [None, None], "image_encoder": [None, None],
    "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"], "text_encoder": ["transformers", "CLIPTextModelWithProjection"],
    "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"], "text_encoder_3": ["transformers", "T5EncoderModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"], "tokenizer_2": ["transformers", "CLIPTokenizer"],
    "tokenizer_3": ["transformers", "T5TokenizerFast"], "transformer": ["diffusers", "SD3Transformer2DModel"], "vae": ["diffusers", "AutoencoderKL"],
}  # fmt: skip


def sd3(transformer, t5="t5-wide"):
    scheduler = {"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "shift": 3.0}
    parts = {"transformer": transformer, "text_encoder": "text-sd3", "text_encoder_2": "text-sdxl-2", "vae": "vae-sd3"}
    tokenizers = {"tokenizer": "base/tokenizer", "tokenizer_2": "base/tokenizer_2"}
    if t5 is None:
        return {"index": {**SD3_INDEX, "text_encoder_3": [None, None], "tokenizer_3": [None, None]}, "scheduler": scheduler, "tokenizers": tokenizers, "components": parts}
    tokenizers["tokenizer_3"] = "../test/goldens/tokenizers/t5"
    return {"index": SD3_INDEX, "scheduler": scheduler, "tokenizers": tokenizers, "components": {**parts, "text_encoder_3": t5}}


QWEN_IMAGE_INDEX = {
    "_class_name": "QwenImagePipeline", "_diffusers_version": "0.42.1", "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
    "text_encoder": ["transformers", "Qwen2_5_VLForConditionalGeneration"], "tokenizer": ["transformers", "Qwen2Tokenizer"],
    "transformer": ["diffusers", "QwenImageTransformer2DModel"], "vae": ["diffusers", "AutoencoderKLQwenImage"],
}  # fmt: skip


def qwen_image(transformer, text="qwen25", **schedule):
    """The scheduler of Qwen-Image, or one with other values."""
    scheduler = {"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "use_dynamic_shifting": True, "shift": 1.0,
                 "base_shift": 0.5, "max_shift": 0.9, "base_image_seq_len": 256, "max_image_seq_len": 8192, "shift_terminal": 0.02,
                 "time_shift_type": "exponential", **schedule}  # fmt: skip
    parts = {"transformer": transformer, "text_encoder": text, "vae": "vae-qwen-image"}
    return {"index": QWEN_IMAGE_INDEX, "scheduler": scheduler, "tokenizers": {"tokenizer": "../test/goldens/tokenizers/qwen"}, "components": parts}


# The schedule that the authors of the Lightning LoRAs give: a shift of 3 at every size, and no last value.
LN_3 = math.log(3)
QWEN_LIGHTNING = {"base_shift": LN_3, "max_shift": LN_3, "shift_terminal": None}

SANA_INDEX = {
    "_class_name": "SanaPipeline", "_diffusers_version": "0.42.1", "scheduler": ["diffusers", "DPMSolverMultistepScheduler"],
    "text_encoder": ["transformers", "Gemma2Model"], "tokenizer": ["transformers", "GemmaTokenizerFast"],
    "transformer": ["diffusers", "SanaTransformer2DModel"], "vae": ["diffusers", "AutoencoderDC"],
}  # fmt: skip


def sana(transformer, scheduler, pipeline="SanaPipeline"):
    parts = {"transformer": transformer, "text_encoder": "gemma2", "vae": "vae-dc"}
    index = {**SANA_INDEX, "_class_name": pipeline, "scheduler": ["diffusers", scheduler["_class_name"]]}
    return {"index": index, "scheduler": scheduler, "tokenizers": {"tokenizer": "../test/goldens/tokenizers/gemma"}, "components": parts}


# As diffusers' conversion of SANA's weights writes it.
FLOW_DPM = {"_class_name": "DPMSolverMultistepScheduler", "num_train_timesteps": 1000, "beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "linear",
            "trained_betas": None, "solver_order": 2, "prediction_type": "flow_prediction", "thresholding": False, "algorithm_type": "dpmsolver++",
            "solver_type": "midpoint", "lower_order_final": True, "euler_at_final": False, "use_karras_sigmas": False, "use_lu_lambdas": False,
            "use_flow_sigmas": True, "flow_shift": 3.0, "final_sigmas_type": "zero", "lambda_min_clipped": float("-inf"), "timestep_spacing": "linspace",
            "steps_offset": 0, "rescale_betas_zero_snr": False}  # fmt: skip
SCM = {"_class_name": "SCMScheduler", "num_train_timesteps": 1000, "prediction_type": "trigflow", "sigma_data": 0.5}

LIGHTNING = {**FILES["sdxl"], "timestep_spacing": "trailing"}
HYPER = {"_class_name": "DDIMScheduler", **SD, "clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1,
         "timestep_spacing": "trailing"}  # fmt: skip
ZERO_SNR = {**FILES["sd21"], "rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
# From before the fields mattered: the pipeline itself corrects offset and clipping.
OUTDATED = {key: value for key, value in FILES["sd15"].items() if key not in ("steps_offset", "clip_sample")}

CHECKPOINTS = {
    "sd1": sd(FILES["sd15"], "unet-sd1", "text-sd1"),
    "sd1-outdated": sd(OUTDATED, "unet-sd1", "text-sd1"),
    "sd1-lcm": sd(FILES["lcm"], "unet-sd1-lcm", "text-sd1"),
    "sd2": sd(FILES["sd21"], "unet-sd2", "text-sd2"),
    "sd2-zero-snr": sd(ZERO_SNR, "unet-sd2", "text-sd2"),
    "sdxl": sdxl(FILES["sdxl"]),
    "sdxl-encoded-empty": sdxl(FILES["sdxl"], force_zeros_for_empty_prompt=False),
    "sdxl-statistics": sdxl(FILES["sdxl"], vae="vae-statistics"),
    "sdxl-old-eos": sdxl(FILES["sdxl"], second="text-old-eos"),
    "segmind": sdxl(FILES["sdxl"], "unet-segmind"),
    "sdxl-turbo": sdxl(FILES["turbo"], "unet-sdxl-fast"),
    "sdxl-lightning": sdxl(LIGHTNING, "unet-sdxl-fast"),
    "sdxl-lightning-1": sdxl({**LIGHTNING, "prediction_type": "sample"}, "unet-sdxl-sample"),
    "sdxl-lcm": sdxl(FILES["lcm"], "unet-sdxl-lcm"),
    "sdxl-hyper": sdxl(HYPER, "unet-sdxl-fast"),
    "zimage": z_image(6.0, "z-image"),
    "zimage-turbo": z_image(3.0, "z-image-fast"),
    "klein": klein("flux2", False),
    "klein-fast": klein("flux2-fast", True),
    "flux1": flux1("flux1", use_dynamic_shifting=True, shift=3.0),
    "flux1-fast": flux1("flux1-fast", use_dynamic_shifting=False, shift=1.0),
    "sana": sana("sana", {k: v for k, v in FLOW_DPM.items() if k != "lambda_min_clipped"}),
    "sana-sprint": sana("sana-sprint", SCM, "SanaSprintPipeline"),
    "chroma": chroma("chroma", use_dynamic_shifting=False, shift=3.0),
    "chroma-fast": chroma("chroma-fast", use_beta_sigmas=True),
    "sd3": sd3("sd3"),
    "sd3-fast": sd3("sd3-fast"),
    "sd3-without-t5": sd3("sd3", None),
    "qwenimage": qwen_image("qwen-image"),
    "qwenimage-fast": qwen_image("qwen-image-fast", "qwen25-nested", **QWEN_LIGHTNING),
}


def record(store):
    for name, described in components().items():
        store.put(f"components/{name}", described)
    store.put("checkpoints", CHECKPOINTS)
