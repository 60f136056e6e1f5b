/** Stable Diffusion 2.x: the UNet of 1.x with OpenCLIP ViT-H; its 768-pixel models predict v. */
import { openClipH } from "./clip-encoders.js";
import { type FamilyFacts, STABLE_DIFFUSION_NOISE } from "./family.js";
import { sd1 } from "./sd1.js";

export const sd2: FamilyFacts = {
  ...sd1,
  title: "Stable Diffusion 2.x",
  textEncoders: [openClipH("cond_stage_model.model.")],
  text: { features: 1024, skip: 0, finalNorm: true, unusedLayers: 1, projection: false },
  unet: { heads: null, headFeatures: 64 },
  latents: { ...sd1.latents, side: 96 },
  scheduler: { _class_name: "DDIMScheduler", prediction_type: "v_prediction", ...STABLE_DIFFUSION_NOISE },
  ambiguousPrediction: true,
  parameters: { denoiser: 0.866e9, text: 0.34e9, decoder: 0.084e9 },
};
