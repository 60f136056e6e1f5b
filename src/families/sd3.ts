/** Stable Diffusion 3 and 3.5 (Esser et al. 2024): medium, large and large-turbo, with two CLIPs and, unless it is left out, T5 XXL as text encoders. */
import { clipL, openClipBigG } from "./clip-encoders.js";
import type { FamilyFacts, TextEncoderFacts } from "./family.js";
import { SD3_NAMES } from "./names/sd3.js";

/** A CLIP whose pooled output conditions the denoiser, as ComfyUI names it in files. */
const pooled = (
  clip: TextEncoderFacts,
  name: string,
  more: { readonly unprojected?: true } = {},
): TextEncoderFacts => ({
  ...clip,
  pooled: true,
  singleFile: { prefix: `text_encoders.${name}.transformer.`, names: "transformers", ...more },
});

export const sd3: FamilyFacts = {
  title: "Stable Diffusion 3",
  pipeline: "StableDiffusion3Pipeline",
  index: {},
  textEncoders: [
    // Files may hold a projection that programs do not use; in folders it is the identity.
    pooled(clipL(""), "clip_l", { unprojected: true }),
    pooled(openClipBigG(""), "clip_g"),
    {
      kind: "t5",
      component: "text_encoder_3",
      tokenizer: "tokenizer_3",
      about: "T5 XXL",
      tokenizerOnHub: "google/t5-v1_1-xxl",
      width: 4096,
      pooled: false,
      optional: true,
      singleFile: { prefix: "text_encoders.t5xxl.transformer.", names: "transformers" },
      padding: "<pad>",
    },
  ],
  text: { features: 4096, skip: 1, finalNorm: false, unusedLayers: 0, projection: true, tokens: 256 },
  denoiser: {
    className: "SD3Transformer2DModel",
    folder: "transformer",
    transformer: {
      marks: {
        diffusers: [
          "pos_embed.proj.weight",
          "transformer_blocks.0.attn.add_k_proj.weight",
          "time_text_embed.text_embedder.linear_1.weight",
        ],
        other: ["joint_blocks.0.x_block.attn.qkv.weight", "y_embedder.mlp.0.weight", "pos_embed"],
      },
      tools: "Stability AI",
      names: SD3_NAMES,
      unused: [],
      variants: /controlnet_|pos_embed_input|image_proj/,
      inputs: {
        layers: ["pos_embed.proj", "x_embedder.proj"],
        variants: { 33: "Stable Diffusion 3 for inpainting, which reads an image" },
      },
      adapters: /(^|_)joint_blocks_\d+_(x|context)_block_/,
    },
  },
  unet: { heads: null, headFeatures: 64 },
  latents: { scale: 1.5305, shift: 0.0609, upcast: true, pixelsPerToken: 16, side: 128, tiny: "taesd3" },
  scheduler: {
    _class_name: "FlowMatchEulerDiscreteScheduler",
    num_train_timesteps: 1000,
    use_dynamic_shifting: false,
    shift: 3,
  },
  ambiguousPrediction: false,
  amendsScheduler: false,
  sampling: { steps: 28, guidance: 4.5, switchLevel: 0.8 },
  pipelineTakes: ["negative_prompt"],
  stepGuidance: true,
  pairedEmbeddings: ["prompt_embeds", "pooled_prompt_embeds"],
  comfy: {
    clip: "sd3",
    textEncoders: ["clip_l.safetensors", "clip_g.safetensors", "t5xxl_fp16.safetensors"],
    latents: "EmptySD3LatentImage",
  },
  zeroNegative: false,
  parameters: { denoiser: 2.47e9, text: 5.58e9, decoder: 0.084e9 },
};
