/** Z-Image and Z-Image-Turbo (Cai et al. 2025). */
import type { FamilyFacts } from "./family.js";
import { Z_IMAGE_NAMES } from "./names/z-image.js";

export const zimage: FamilyFacts = {
  title: "Z-Image",
  pipeline: "ZImagePipeline",
  index: {},
  textEncoders: [
    {
      kind: "language model",
      component: "text_encoder",
      tokenizer: "tokenizer",
      about: "Qwen3 4B",
      tokenizerOnHub: "Qwen/Qwen3-4B",
      width: 2560,
      pooled: false,
      singleFile: { prefix: "text_encoders.qwen3_4b.transformer.model.", names: "transformers" },
      padding: "<|endoftext|>",
    },
  ],
  text: {
    features: 2560,
    skip: 1,
    finalNorm: false,
    unusedLayers: 0,
    projection: false,
    chat: {
      before: "<|im_start|>user\n",
      after: "<|im_end|>\n<|im_start|>assistant\n",
      tokens: 512,
      multiple: 32,
    },
  },
  denoiser: {
    className: "ZImageTransformer2DModel",
    folder: "transformer",
    transformer: {
      // Lumina's modulation has another layer before its matrix.
      marks: {
        diffusers: ["layers.0.adaLN_modulation.0.weight", "all_x_embedder.2-1.weight"],
        other: ["layers.0.adaLN_modulation.0.weight", "x_embedder.weight"],
      },
      tools: "ComfyUI",
      names: Z_IMAGE_NAMES,
      unused: ["norm_final.weight"],
      variants: /siglip|control_/,
      adapters:
        /(^|_)((noise|context)_refiner|layers)_\d+_(attention_(to_|qkv|out)|adaLN_modulation_0|feed_forward_w\d)/,
    },
  },
  unet: { heads: null, headFeatures: 128 },
  latents: { scale: 0.3611, shift: 0.1159, upcast: true, pixelsPerToken: 16, side: 128, tiny: "taef1" },
  scheduler: {
    _class_name: "FlowMatchEulerDiscreteScheduler",
    num_train_timesteps: 1000,
    use_dynamic_shifting: false,
    shift: 6,
  },
  ambiguousPrediction: false,
  amendsScheduler: false,
  sampling: { steps: 50, guidance: 5, switchLevel: 0.8 },
  guidanceOffset: 1,
  evenSigmas: "float32",
  stepGuidance: true,
  pipelineTakes: ["negative_prompt", "cfg_normalization"],
  comfy: {
    clip: "lumina2",
    textEncoders: ["qwen_3_4b.safetensors"],
    autoencoder: "ae.safetensors",
    latents: "EmptySD3LatentImage",
  },
  zeroNegative: false,
  parameters: { denoiser: 6.155e9, text: 4.022e9, decoder: 0.084e9 },
};
