/** Chroma1 (lodestone-rock 2025): HD and its distilled Flash, FLUX.1's blocks with T5 XXL alone as text encoder. */
import type { FamilyFacts } from "./family.js";
import { CHROMA_NAMES } from "./names/chroma.js";
import { XLABS_NAMES } from "./names/flux1.js";
import { zimage } from "./zimage.js";

export const chroma: FamilyFacts = {
  title: "Chroma",
  pipeline: "ChromaPipeline",
  index: {},
  textEncoders: [
    {
      kind: "t5",
      component: "text_encoder",
      tokenizer: "tokenizer",
      about: "T5 XXL",
      tokenizerOnHub: "google/t5-v1_1-xxl",
      width: 4096,
      pooled: false,
      singleFile: { prefix: "text_encoders.t5xxl.transformer.", names: "transformers" },
      padding: "<pad>",
    },
  ],
  text: {
    features: 4096,
    skip: 0,
    finalNorm: true,
    unusedLayers: 0,
    projection: false,
    tokens: 512,
    visiblePadding: 1,
  },
  denoiser: {
    className: "ChromaTransformer2DModel",
    folder: "transformer",
    packed: true,
    transformer: {
      marks: {
        diffusers: ["distilled_guidance_layer.in_proj.weight", "single_transformer_blocks.0.proj_mlp.weight"],
        other: ["distilled_guidance_layer.norms.0.scale"],
      },
      tools: "lodestone-rock",
      names: CHROMA_NAMES,
      adapterNames: XLABS_NAMES,
      unused: [],
      variants: /(^|\.)nerf_/,
      adapters: /(^|_)distilled_guidance_layer_/,
    },
  },
  unet: { heads: null, headFeatures: 128 },
  latents: zimage.latents,
  scheduler: {
    _class_name: "FlowMatchEulerDiscreteScheduler",
    num_train_timesteps: 1000,
    use_dynamic_shifting: false,
    shift: 3,
  },
  ambiguousPrediction: false,
  amendsScheduler: false,
  sampling: { steps: 35, guidance: 5, switchLevel: 0.8 },
  evenSigmas: "float64",
  pipelineTakes: ["negative_prompt"],
  comfy: {
    clip: "chroma",
    textEncoders: ["t5xxl_fp16.safetensors"],
    autoencoder: "ae.safetensors",
    latents: "EmptySD3LatentImage",
  },
  zeroNegative: false,
  parameters: { denoiser: 8.9e9, text: 4.762e9, decoder: 0.084e9 },
};
