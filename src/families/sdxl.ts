/** Stable Diffusion XL (Podell et al. 2023) and its prunings. */
import { type FamilyFacts, STABLE_DIFFUSION_NOISE } from "./family.js";

export const sdxl: FamilyFacts = {
  title: "Stable Diffusion XL",
  pipeline: "StableDiffusionXLPipeline",
  index: { force_zeros_for_empty_prompt: true },
  textEncoders: [
    {
      component: "text_encoder",
      tokenizer: "tokenizer",
      about: "CLIP ViT-L",
      width: 768,
      pooled: false,
      singleFile: { prefix: "conditioner.embedders.0.transformer.", names: "transformers" },
      padding: "<|endoftext|>",
    },
    {
      component: "text_encoder_2",
      tokenizer: "tokenizer_2",
      about: "OpenCLIP ViT-bigG",
      width: 1280,
      pooled: true,
      singleFile: { prefix: "conditioner.embedders.1.model.", names: "openclip" },
      padding: "!",
    },
  ],
  text: { features: 2048, skip: 1, finalNorm: false, unusedLayers: 0, projection: true },
  unet: { heads: null, headFeatures: 64 },
  latents: { scale: 0.13025, upcast: true, side: 128 },
  scheduler: {
    _class_name: "EulerDiscreteScheduler",
    timestep_spacing: "leading",
    prediction_type: "epsilon",
    ...STABLE_DIFFUSION_NOISE,
  },
  ambiguousPrediction: false,
  amendsScheduler: false,
  sampling: { steps: 50, guidance: 5 },
  zeroNegative: true,
  parameters: { denoiser: 2.567e9, text: 0.817e9, decoder: 0.084e9 },
};
