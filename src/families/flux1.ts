/** FLUX.1 (Black Forest Labs 2024): dev, whose guidance is an input, and schnell, with CLIP ViT-L and T5 XXL as text encoders. */
import { clipL } from "./clip-encoders.js";
import type { FamilyFacts } from "./family.js";
import { FLUX1_NAMES, XLABS_NAMES } from "./names/flux1.js";
import { zimage } from "./zimage.js";

export const flux1: FamilyFacts = {
  title: "FLUX.1",
  pipeline: "FluxPipeline",
  index: {},
  textEncoders: [
    { ...clipL("text_encoders.clip_l.transformer."), pooled: "unprojected", states: false },
    {
      kind: "t5",
      component: "text_encoder_2",
      tokenizer: "tokenizer_2",
      about: "T5 XXL",
      tokenizerOnHub: "google/t5-v1_1-xxl",
      width: 4096,
      pooled: false,
      singleFile: { prefix: "text_encoders.t5xxl.transformer.", names: "transformers" },
      padding: "<pad>",
    },
  ],
  text: { features: 4096, skip: 0, finalNorm: true, unusedLayers: 0, projection: false, tokens: 512 },
  denoiser: {
    className: "FluxTransformer2DModel",
    folder: "transformer",
    packed: true,
    transformer: {
      marks: {
        diffusers: [
          "time_text_embed.text_embedder.linear_1.weight",
          "single_transformer_blocks.0.proj_mlp.weight",
          "context_embedder.weight",
        ],
        other: ["vector_in.in_layer.weight", "double_blocks.0.img_attn.norm.key_norm.scale", "txt_in.weight"],
      },
      tools: "Black Forest Labs",
      names: FLUX1_NAMES,
      adapterNames: XLABS_NAMES,
      unused: [],
      variants: /controlnet_/,
      inputs: {
        layers: ["x_embedder", "img_in"],
        variants: { 128: "FLUX.1 Canny or Depth, which reads an image", 384: "FLUX.1 Fill, for inpainting" },
      },
      adapters:
        /(^|_)single_transformer_blocks_\d+_(proj_(mlp|out)|norm_linear|attn_to_[qkv](?!kv))|(^|_)single_blocks_\d+_modulation_lin|(^|_)double_blocks_\d+_(img|txt)_mod_lin|(^|_)(double|single)_blocks_\d+_processor_(qkv|proj)_lora/,
      // FLUX.2's own code has the same names.
      ratios: [
        { layer: /(^|_)single_blocks_\d+_linear1(?!\d)/, outputs: 7 },
        { layer: /(^|_)double_blocks_\d+_(img|txt)_mlp_0/, outputs: 4 },
      ],
    },
  },
  unet: { heads: null, headFeatures: 128 },
  latents: zimage.latents,
  scheduler: {
    _class_name: "FlowMatchEulerDiscreteScheduler",
    num_train_timesteps: 1000,
    use_dynamic_shifting: true,
    time_shift_type: "exponential",
    base_shift: 0.5,
    max_shift: 1.15,
    base_image_seq_len: 256,
    max_image_seq_len: 4096,
  },
  ambiguousPrediction: false,
  amendsScheduler: false,
  // Adapters of few steps keep dev's guidance input; schnell has none.
  sampling: {
    steps: 28,
    guidance: 3.5,
    switchLevel: 0.8,
    embedded: { steps: 8, guidance: 3.5, tokens: { embedded: 512, other: 256 } },
  },
  evenSigmas: "float64",
  comfy: {
    clip: "flux",
    textEncoders: ["clip_l.safetensors", "t5xxl_fp16.safetensors"],
    autoencoder: "ae.safetensors",
    latents: "EmptySD3LatentImage",
  },
  zeroNegative: false,
  parameters: { denoiser: 11.901e9, text: 4.885e9, decoder: 0.084e9 },
};
