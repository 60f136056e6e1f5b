/** Stable Diffusion XL (Podell et al. 2023) and pruned variants. */
import { clipL, openClipBigG } from "./clip-encoders.js";
import { type FamilyFacts, STABLE_DIFFUSION_NOISE, UNET } from "./family.js";

export const sdxl: FamilyFacts = {
  title: "Stable Diffusion XL",
  pipeline: "StableDiffusionXLPipeline",
  index: { force_zeros_for_empty_prompt: true },
  textEncoders: [clipL("conditioner.embedders.0.transformer."), openClipBigG("conditioner.embedders.1.model.")],
  text: { features: 2048, skip: 1, finalNorm: false, unusedLayers: 0, projection: true },
  denoiser: UNET,
  unet: { heads: null, headFeatures: 64 },
  latents: { scale: 0.13025, upcast: true, side: 128, tiny: "taesdxl" },
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
