/** Named pairs of transformers: one row of data for each released few-step model. */
import { FAMILIES, type Family } from "../families/index.js";
import { type Base, hyper, hyperNames, row, square } from "./pair-row.js";
import type { PairRow } from "./schema.js";

/** A base at 1024 px, with the scheduler and the size of its family. */
const baseOf = (family: Family, base: string, sampling: Base["sampling"]): Base => ({
  family,
  base,
  scheduler: FAMILIES[family].scheduler,
  parameters: FAMILIES[family].parameters.denoiser,
  size: square(1024),
  sampling,
});

const Z_IMAGE = baseOf("zimage", "Tongyi-MAI/Z-Image", { steps: 50, guidance: 4 });
const KLEIN = baseOf("flux2", "black-forest-labs/FLUX.2-klein-base-4B", { steps: 50, guidance: 4 });
const KLEIN_9B = {
  ...KLEIN,
  base: "black-forest-labs/FLUX.2-klein-base-9B",
  parameters: 9.079e9,
  textParameters: 7.568e9,
} as const;

const FLUX1 = baseOf("flux1", "black-forest-labs/FLUX.1-dev", { steps: 28, guidance: 3.5 });

const SD35_LARGE: Base = {
  ...baseOf("sd3", "stabilityai/stable-diffusion-3.5-large", { steps: 28, guidance: 4.5 }),
  parameters: 8.057e9,
};

const SD35_MEDIUM = baseOf("sd3", "stabilityai/stable-diffusion-3.5-medium", { steps: 40, guidance: 4.5 });

const QWEN_IMAGE = baseOf("qwenimage", "Qwen/Qwen-Image", { steps: 50, guidance: 4 });
/** The authors distil with a shift of 3 at every size (generate_with_diffusers.py in ModelTC/Qwen-Image-Lightning). */
const LIGHTNING_SHIFT = Math.log(3);
const qwenLightning = (steps: 4 | 8): PairRow =>
  row(`qwen-image-lightning-${steps}`, `Qwen-Image-Lightning, ${steps} steps, LoRA on Qwen-Image`, QWEN_IMAGE, {
    names: [`qwen image lightning ${steps}steps`],
    licence: "Apache-2.0",
    lora: true,
    distilled: `lightx2v/Qwen-Image-Lightning/Qwen-Image-Lightning-${steps}steps-V2.0-bf16.safetensors`,
    scheduler: {
      ...QWEN_IMAGE.scheduler,
      base_shift: LIGHTNING_SHIFT,
      max_shift: LIGHTNING_SHIFT,
      shift_terminal: null,
    },
    sampling: { steps, guidance: 0 },
  });

const SANA = baseOf("sana", "Efficient-Large-Model/SANA1.5_1.6B_1024px_diffusers", { steps: 20, guidance: 4.5 });

/** Steps and guidance of the example in its model card, which diffusers' page of the pipeline has too. */
const CHROMA = baseOf("chroma", "lodestones/Chroma1-HD", { steps: 40, guidance: 3 });

/** In the order in which they are listed. */
export const TRANSFORMER_PAIRS: readonly PairRow[] = [
  row("zimage-turbo", "Z-Image-Turbo, 8 steps", Z_IMAGE, {
    names: ["z image turbo", "zimage turbo"],
    licence: "Apache-2.0",
    // The same weights as Tongyi-MAI/Z-Image-Turbo in bfloat16: the authors' folder is float32, twice as large.
    distilled: "Comfy-Org/z_image_turbo/split_files/diffusion_models/z_image_turbo_bf16.safetensors",
    scheduler: { ...Z_IMAGE.scheduler, shift: 3 },
    sampling: { steps: 8, guidance: 0 },
  }),
  row("klein-4b", "FLUX.2 klein 4B, 4 steps", KLEIN, {
    names: ["flux 2 klein 4b", "flux2 klein 4b"],
    licence: "Apache-2.0",
    distilled: "black-forest-labs/FLUX.2-klein-4B",
    sampling: { steps: 4, guidance: 0 },
  }),
  row("klein-9b", "FLUX.2 klein 9B, 4 steps", KLEIN_9B, {
    names: ["flux 2 klein 9b", "flux2 klein 9b"],
    licence: "FLUX non-commercial",
    gated: true,
    distilled: "black-forest-labs/FLUX.2-klein-9B",
    sampling: { steps: 4, guidance: 0 },
  }),
  row("flux1-schnell", "FLUX.1-schnell over FLUX.1-dev, 4 steps without guidance", FLUX1, {
    names: ["schnell"],
    licence: "Apache-2.0; the base FLUX.1-dev non-commercial",
    gated: true,
    distilled: "black-forest-labs/FLUX.1-schnell",
    scheduler: { ...FLUX1.scheduler, use_dynamic_shifting: false, shift: 1 },
    sampling: { steps: 4, guidance: 0 },
  }),
  row("flux1-turbo-alpha", "FLUX.1-Turbo-Alpha, 8 steps, LoRA on FLUX.1-dev", FLUX1, {
    names: ["turbo alpha"],
    licence: "FLUX.1-dev non-commercial",
    gated: true,
    lora: true,
    distilled: "alimama-creative/FLUX.1-Turbo-Alpha/diffusion_pytorch_model.safetensors",
    sampling: { steps: 8, guidance: 3.5 },
  }),
  row("flux1-hyper-8", "Hyper-SD for FLUX.1-dev, 8 steps, LoRA at a scale of 0.125", FLUX1, {
    names: hyperNames(8),
    licence: "FLUX.1-dev non-commercial",
    gated: true,
    distilled: hyper("Hyper-FLUX.1-dev-8steps-lora"),
    sampling: { steps: 8, guidance: 3.5, loraScale: 0.125 },
  }),
  row("chroma-flash", "Chroma1-Flash, 16 steps without guidance", CHROMA, {
    names: ["chroma flash", "chroma1 flash"],
    licence: "Apache-2.0",
    distilled: "lodestones/Chroma1-Flash/Chroma1-HD-Flash.safetensors",
    // The scheduler config beside it; its model card states no settings, and 16 steps are what users report.
    scheduler: { ...CHROMA.scheduler, shift: 1 },
    sampling: { steps: 16, guidance: 0 },
  }),
  row("sana-sprint", "SANA-Sprint 1.6B over SANA-1.5 1.6B, 2 steps, its guidance scale an input", SANA, {
    names: ["sana sprint"],
    licence: "NVIDIA NSCL v2-custom, taken for non-commercial; of the text encoder Gemma's terms",
    distilled: "Efficient-Large-Model/Sana_Sprint_1.6B_1024px_diffusers",
    scheduler: { _class_name: "SCMScheduler", num_train_timesteps: 1000, prediction_type: "trigflow", sigma_data: 0.5 },
    sampling: { steps: 2, guidance: 4.5 },
  }),
  row("sd35-large-turbo", "Stable Diffusion 3.5 large-turbo, 4 steps without guidance", SD35_LARGE, {
    names: ["large turbo"],
    licence: "Stability AI Community License",
    gated: true,
    distilled: "stabilityai/stable-diffusion-3.5-large-turbo",
    sampling: { steps: 4, guidance: 0 },
  }),
  // Settings of the example in its authors' README; their file is a state dict of diffusers' transformer.
  row(
    "sd35-medium-dpdmd",
    "DP-DMD for Stable Diffusion 3.5 medium, 4 steps without guidance, trained to keep diversity",
    SD35_MEDIUM,
    {
      names: ["dpdmd"],
      licence: "not stated for the weights; the base Stability AI Community License",
      gated: true,
      distilled: "TianheWu/dpdmd/DPDMD-SD35M-4NFE-natural.pt",
      sampling: { steps: 4, guidance: 0 },
    },
  ),
  qwenLightning(8),
  qwenLightning(4),
];
