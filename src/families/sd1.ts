/** Stable Diffusion 1.x (Rombach et al. 2022). */
import { clipL } from "./clip-encoders.js";
import { type FamilyFacts, STABLE_DIFFUSION_NOISE, UNET } from "./family.js";

export const sd1: FamilyFacts = {
  title: "Stable Diffusion 1.x",
  pipeline: "StableDiffusionPipeline",
  index: {},
  textEncoders: [clipL("cond_stage_model.transformer.")],
  text: { features: 768, skip: 0, finalNorm: true, unusedLayers: 0, projection: true },
  denoiser: UNET,
  unet: { heads: 8, headFeatures: 40 },
  latents: { scale: 0.18215, upcast: false, side: 64, tiny: "taesd" },
  scheduler: {
    _class_name: "PNDMScheduler",
    skip_prk_steps: true,
    prediction_type: "epsilon",
    ...STABLE_DIFFUSION_NOISE,
  },
  ambiguousPrediction: false,
  amendsScheduler: true,
  sampling: { steps: 50, guidance: 7.5 },
  zeroNegative: false,
  parameters: { denoiser: 0.86e9, text: 0.123e9, decoder: 0.084e9 },
};
