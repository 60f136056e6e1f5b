/** Named pairs: one row of data for each released few-step model, with its references and its author's sampling options. */
import { FAMILIES } from "../families/index.js";
import { EMBEDDED_PAIRS } from "./embedded.js";
import { SHA256 } from "./hashes.js";
import type { PairRow, SamplingDefaults } from "./schema.js";

/**
 * CLIP that measures images of pairs without their own: ViT-B/32 of OpenCLIP, 605 MB, licence MIT. OpenAI's ViT-B/32 is as large, but its
 * model card states no licence of the weights.
 */
export const DEFAULT_CLIP = "laion/CLIP-ViT-B-32-laion2B-s34B-b79K";

const square = (side: number) => ({ width: side, height: side });
const PHOTOGRAPHS = ["a photo of a dog in a park", "a portrait of a scientist in her laboratory"] as const;

/** Fields shared by all pairs with one base. */
const SDXL = {
  family: "sdxl",
  base: "stabilityai/stable-diffusion-xl-base-1.0",
  scheduler: FAMILIES.sdxl.scheduler,
  parameters: FAMILIES.sdxl.parameters.denoiser,
  size: square(1024),
  sampling: FAMILIES.sdxl.sampling,
} as const;
const SSD = { ...SDXL, base: "segmind/SSD-1B", parameters: 1.331e9, sampling: { steps: 50, guidance: 9 } } as const;
const SD15 = {
  family: "sd1",
  base: "stable-diffusion-v1-5/stable-diffusion-v1-5",
  scheduler: FAMILIES.sd1.scheduler,
  parameters: FAMILIES.sd1.parameters.denoiser,
  size: square(512),
  sampling: FAMILIES.sd1.sampling,
} as const;
const DREAMSHAPER = { ...SD15, base: "Lykon/dreamshaper-7" } as const;
/** The 512-pixel model of the second family predicts ε and has the scheduler of the first. */
const SD21 = {
  ...SD15,
  family: "sd2",
  base: "stabilityai/stable-diffusion-2-1-base",
  parameters: FAMILIES.sd2.parameters.denoiser,
} as const;

const Z_IMAGE = {
  family: "zimage",
  base: "Tongyi-MAI/Z-Image",
  scheduler: FAMILIES.zimage.scheduler,
  parameters: FAMILIES.zimage.parameters.denoiser,
  size: square(1024),
  sampling: { steps: 50, guidance: 4 },
} as const;
const KLEIN = {
  family: "flux2",
  base: "black-forest-labs/FLUX.2-klein-base-4B",
  scheduler: FAMILIES.flux2.scheduler,
  parameters: FAMILIES.flux2.parameters.denoiser,
  size: square(1024),
  sampling: { steps: 50, guidance: 4 },
} as const;
const KLEIN_9B = {
  ...KLEIN,
  base: "black-forest-labs/FLUX.2-klein-base-9B",
  parameters: 9.079e9,
  textParameters: 7.568e9,
} as const;

const FLUX1 = {
  family: "flux1",
  base: "black-forest-labs/FLUX.1-dev",
  scheduler: FAMILIES.flux1.scheduler,
  parameters: FAMILIES.flux1.parameters.denoiser,
  size: square(1024),
  sampling: { steps: 28, guidance: 3.5 },
} as const;

const SD35_LARGE = {
  family: "sd3",
  base: "stabilityai/stable-diffusion-3.5-large",
  scheduler: FAMILIES.sd3.scheduler,
  parameters: 8.057e9,
  size: square(1024),
  sampling: { steps: 28, guidance: 4.5 },
} as const;

const QWEN_IMAGE = {
  family: "qwenimage",
  base: "Qwen/Qwen-Image",
  scheduler: FAMILIES.qwenimage.scheduler,
  parameters: FAMILIES.qwenimage.parameters.denoiser,
  size: square(1024),
  sampling: { steps: 50, guidance: 4 },
} as const;
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

const SANA = {
  family: "sana",
  base: "Efficient-Large-Model/SANA1.5_1.6B_1024px_diffusers",
  scheduler: FAMILIES.sana.scheduler,
  parameters: FAMILIES.sana.parameters.denoiser,
  size: square(1024),
  sampling: { steps: 20, guidance: 4.5 },
} as const;

const CHROMA = {
  family: "chroma",
  base: "lodestones/Chroma1-HD",
  scheduler: FAMILIES.chroma.scheduler,
  parameters: FAMILIES.chroma.parameters.denoiser,
  size: square(1024),
  sampling: { steps: 35, guidance: 5 },
} as const;

type Base = Pick<PairRow, "family" | "base" | "scheduler" | "parameters" | "size"> &
  Pick<PairRow, "textParameters"> & { readonly sampling: SamplingDefaults };
interface Distilled {
  readonly distilled: string;
  readonly sampling: SamplingDefaults;
  readonly licence: string;
  readonly size?: PairRow["size"];
  readonly guidanceFeatures?: number;
  readonly names?: readonly string[];
  readonly scheduler?: NonNullable<PairRow["distilledScheduler"]>;
  readonly gated?: boolean;
  readonly lora?: boolean;
}

const row = (name: string, about: string, base: Base, d: Distilled): PairRow => ({
  ...base,
  name,
  about,
  clip: DEFAULT_CLIP,
  judge: null,
  distilled: d.distilled,
  sampling: { base: base.sampling, distilled: d.sampling },
  ...(d.scheduler && { distilledScheduler: d.scheduler }),
  ...(d.gated && { gated: true }),
  ...(d.lora && { lora: true }),
  size: d.size ?? base.size,
  guidanceFeatures: d.guidanceFeatures ?? null,
  names: d.names ?? [],
  sha256: SHA256[d.distilled] ?? [],
  licence: d.licence,
  source: `https://huggingface.co/${d.distilled.split(/[/:]/).slice(0, 2).join("/")}`,
  prompts: PHOTOGRAPHS,
  note: "",
  promptNote: "",
  package: null,
  trial: null,
});

/** Few-step sampling options, as the authors of the models use them. */
const lcm = (steps: number, guidance = 0): SamplingDefaults => ({ scheduler: "LCMScheduler", steps, guidance });
const lcmAt = (...timesteps: number[]): SamplingDefaults => ({ scheduler: "LCMScheduler", timesteps, guidance: 0 });
const tcd = (steps: number, eta: number, guidance = 0): SamplingDefaults => ({
  scheduler: "TCDScheduler",
  steps,
  eta,
  guidance,
});
const trailing = (scheduler: string, steps: number, guidance = 0): SamplingDefaults => ({
  scheduler,
  spacing: "trailing",
  steps,
  guidance,
});

const DMD2 = { licence: "CC-BY-NC-SA-4.0" };
const LIGHTNING = { licence: "OpenRAIL++" };
const LCM = { licence: "OpenRAIL++", names: ["lcm"] };
const TCD = { licence: "MIT", names: ["tcd"], sampling: tcd(4, 0.3) };
const FLASH = { licence: "CC-BY-NC-ND-4.0", sampling: lcm(4) };
/** The UNets of LCM have guidance as an input (Luo et al. 2023, §4.2); the LoRAs do not. */
const LCM_UNET = { ...LCM, guidanceFeatures: 256 };
const HYPER = { licence: "OpenRAIL++" };
/** Names of a model for n steps. A name without a number of steps is taken for the one of four. */
const named = (method: string, n: number): string[] => [`${method} ${n}step`, ...(n === 4 ? [method] : [])];
const hyper = (file: string) => `ByteDance/Hyper-SD/${file}.safetensors`;
const lightning = (file: string) => `ByteDance/SDXL-Lightning/sdxl_lightning_${file}.safetensors`;

const hyperNames = (n: number) => [`hyper ${n}step`, ...(n === 4 ? ["hyper sd", "hyper sdxl", "hyper sd15"] : [])];
/** LoRAs of PCM, deterministic in TCD's scheduler; those for guidance keep negative prompts. */
const pcm = (model: "sdxl" | "sd15", base: Base, n: number, guidance = 0): PairRow => {
  const kind = guidance > 1 ? "normalcfg" : "smallcfg";
  return row(`${model}-pcm-${n}${guidance > 1 ? "-cfg" : ""}`, `PCM, ${n} steps, LoRA (${kind})`, base, {
    licence: "not stated",
    names: [`pcm ${kind} ${n}step`, ...(guidance > 1 ? [] : named("pcm", n))],
    distilled: `wangfuyun/PCM_Weights/${model}/pcm_${model}_${kind}_${n}step_converted.safetensors`,
    sampling: tcd(n, 0, guidance),
  });
};

export const PAIRS: readonly PairRow[] = [
  ...EMBEDDED_PAIRS,
  row("sdxl-dmd2", "DMD2, 4 steps", SDXL, {
    names: ["dmd", "dmd2"],
    ...DMD2,
    distilled: "tianweiy/DMD2/dmd2_sdxl_4step_unet_fp16.bin",
    sampling: lcmAt(999, 749, 499, 249),
  }),
  row("sdxl-dmd2-lora", "DMD2, 4 steps, as a LoRA on the base", SDXL, {
    names: ["dmd", "dmd2"],
    ...DMD2,
    distilled: "tianweiy/DMD2/dmd2_sdxl_4step_lora_fp16.safetensors",
    sampling: lcmAt(999, 749, 499, 249),
  }),
  row("sdxl-dmd2-1", "DMD2, 1 step", SDXL, {
    names: ["dmd 1step", "dmd2 1step"],
    ...DMD2,
    distilled: "tianweiy/DMD2/dmd2_sdxl_1step_unet_fp16.bin",
    sampling: lcmAt(399),
  }),
  row("sdxl-dmd2-paper", "DMD2 on LCM's timesteps, as the paper's programs run it", SDXL, {
    ...DMD2,
    distilled: "tianweiy/DMD2/dmd2_sdxl_4step_unet_fp16.bin",
    sampling: lcm(4),
  }),
  row("sdxl-turbo", "SDXL-Turbo, 1 to 4 steps at 512 px", SDXL, {
    names: ["turbo", "sdxlturbo"],
    distilled: "stabilityai/sdxl-turbo:unet",
    licence: "SAI NC community",
    size: square(512),
    sampling: trailing("EulerAncestralDiscreteScheduler", 4),
  }),
  row("sdxl-turbo-paper", "SDXL-Turbo at the base's 1024 px, as the paper's hybrid runs it", SDXL, {
    distilled: "stabilityai/sdxl-turbo:unet",
    licence: "SAI NC community",
    sampling: trailing("EulerAncestralDiscreteScheduler", 4),
  }),
  row("sdxl-lightning-1", "SDXL-Lightning, 1 step, predicts x0", SDXL, {
    names: ["lightning 1step"],
    ...LIGHTNING,
    distilled: lightning("1step_unet_x0"),
    sampling: { ...trailing("EulerDiscreteScheduler", 1), prediction: "sample" },
  }),
  ...[2, 4, 8].flatMap((n) => [
    row(`sdxl-lightning-${n}`, `SDXL-Lightning, ${n} steps`, SDXL, {
      ...LIGHTNING,
      names: named("lightning", n),
      distilled: lightning(`${n}step_unet`),
      sampling: trailing("EulerDiscreteScheduler", n),
    }),
    row(`sdxl-lightning-${n}-lora`, `SDXL-Lightning, ${n} steps, as a LoRA on the base`, SDXL, {
      ...LIGHTNING,
      names: named("lightning", n),
      distilled: lightning(`${n}step_lora`),
      sampling: trailing("EulerDiscreteScheduler", n),
    }),
  ]),
  row("sdxl-lcm", "LCM-SDXL, 2 to 8 steps; guidance is an input of the network", SDXL, {
    ...LCM_UNET,
    distilled: "latent-consistency/lcm-sdxl",
    sampling: lcm(4, 8),
  }),
  row("sdxl-lcm-paper", "LCM-SDXL with guidance 0, as the paper's programs run it", SDXL, {
    ...LCM_UNET,
    distilled: "latent-consistency/lcm-sdxl",
    sampling: lcm(4),
  }),
  row("sdxl-lcm-lora", "LCM-LoRA for SDXL, 4 to 8 steps", SDXL, {
    ...LCM,
    distilled: "latent-consistency/lcm-lora-sdxl/pytorch_lora_weights.safetensors",
    sampling: lcm(4),
  }),
  row("sd15-lcm-lora", "LCM-LoRA for SD 1.5, 4 to 8 steps", SD15, {
    ...LCM,
    distilled: "latent-consistency/lcm-lora-sdv1-5/pytorch_lora_weights.safetensors",
    sampling: lcm(4),
  }),
  row("sd15-lcm", "LCM of DreamShaper 7 (SD 1.5), 1 to 8 steps; guidance is an input of the network", DREAMSHAPER, {
    ...LCM_UNET,
    licence: "MIT",
    distilled: "SimianLuo/LCM_Dreamshaper_v7:unet",
    sampling: lcm(4, 8),
  }),
  row("ssd-1b-lcm", "LCM for SSD-1B, 2 to 8 steps; guidance is an input of the network", SSD, {
    ...LCM_UNET,
    names: ["lcm ssd", "lcm ssd 1b"],
    distilled: "latent-consistency/lcm-ssd-1b",
    sampling: lcm(4, 8),
  }),
  row("ssd-1b-lcm-lora", "LCM-LoRA for SSD-1B, 4 to 8 steps", SSD, {
    ...LCM,
    names: ["lcm ssd", "lcm ssd 1b"],
    distilled: "latent-consistency/lcm-lora-ssd-1b/pytorch_lora_weights.safetensors",
    sampling: lcm(4),
  }),
  row("sdxl-hyper-1", "Hyper-SD, 1 step, UNet", SDXL, {
    names: ["hyper 1step"],
    ...HYPER,
    distilled: hyper("Hyper-SDXL-1step-Unet"),
    sampling: lcmAt(800),
  }),
  row("sdxl-hyper-1-lora", "Hyper-SD, 1 step, LoRA", SDXL, {
    names: ["hyper 1step"],
    ...HYPER,
    distilled: hyper("Hyper-SDXL-1step-lora"),
    sampling: tcd(1, 1),
  }),
  ...[2, 4, 8].map((n) =>
    row(`sdxl-hyper-${n}`, `Hyper-SD, ${n} steps, LoRA`, SDXL, {
      names: hyperNames(n),
      ...HYPER,
      distilled: hyper(`Hyper-SDXL-${n}steps-lora`),
      sampling: trailing("DDIMScheduler", n),
    }),
  ),
  row("sdxl-hyper-unified", "Hyper-SD, 1 to 8 steps by one LoRA; a lower eta gives more detail", SDXL, {
    ...HYPER,
    distilled: hyper("Hyper-SDXL-1step-lora"),
    sampling: tcd(4, 1),
  }),
  ...[8, 12].map((n) =>
    row(`sdxl-hyper-${n}-cfg`, `Hyper-SD, ${n} steps, LoRA that keeps guidance and negative prompts`, SDXL, {
      names: [`hyper ${n}step cfg`],
      ...HYPER,
      distilled: hyper(`Hyper-SDXL-${n}steps-CFG-lora`),
      sampling: trailing("DDIMScheduler", n, 5),
    }),
  ),
  row("sd15-hyper-1", "Hyper-SD for SD 1.5, 1 step, LoRA", SD15, {
    names: ["hyper 1step"],
    ...HYPER,
    distilled: hyper("Hyper-SD15-1step-lora"),
    sampling: tcd(1, 1),
  }),
  ...[2, 4, 8].map((n) =>
    row(`sd15-hyper-${n}`, `Hyper-SD for SD 1.5, ${n} steps, LoRA`, SD15, {
      names: hyperNames(n),
      ...HYPER,
      distilled: hyper(`Hyper-SD15-${n}steps-lora`),
      sampling: trailing("DDIMScheduler", n),
    }),
  ),
  ...[8, 12].map((n) =>
    row(`sd15-hyper-${n}-cfg`, `Hyper-SD for SD 1.5, ${n} steps, LoRA that keeps guidance and negative prompts`, SD15, {
      ...HYPER,
      names: [`hyper ${n}step cfg`],
      distilled: hyper(`Hyper-SD15-${n}steps-CFG-lora`),
      sampling: trailing("DDIMScheduler", n, 5),
    }),
  ),
  row("sd-turbo", "SD-Turbo, 1 to 4 steps", SD21, {
    names: ["turbo"],
    distilled: "stabilityai/sd-turbo:unet",
    licence: "SAI community",
    sampling: trailing("EulerDiscreteScheduler", 4),
  }),
  row("sdxl-tcd", "TCD, LoRA, 2 to 8 steps and more; a higher eta suits more steps", SDXL, {
    ...TCD,
    distilled: "h1t/TCD-SDXL-LoRA/pytorch_lora_weights.safetensors",
  }),
  row("sd15-tcd", "TCD for SD 1.5, LoRA", SD15, {
    ...TCD,
    distilled: "h1t/TCD-SD15-LoRA/pytorch_lora_weights.safetensors",
  }),
  row("sd21-tcd", "TCD for SD 2.1 base, LoRA", SD21, {
    ...TCD,
    distilled: "h1t/TCD-SD21-base-LoRA/pytorch_lora_weights.safetensors",
  }),
  row("sdxl-flash", "Flash Diffusion, 4 steps, LoRA", SDXL, {
    ...FLASH,
    distilled: "jasperai/flash-sdxl/pytorch_lora_weights.safetensors",
  }),
  row("sd15-flash", "Flash Diffusion for SD 1.5, 4 steps, LoRA", SD15, {
    ...FLASH,
    distilled: "jasperai/flash-sd/pytorch_lora_weights.safetensors",
  }),
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
    sampling: { steps: 16, guidance: 0 },
  }),
  row("sana-sprint", "SANA-Sprint 1.6B over SANA-1.5 1.6B, 2 steps, its guidance scale an input", SANA, {
    names: ["sana sprint"],
    licence: "NVIDIA non-commercial",
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
  qwenLightning(8),
  qwenLightning(4),
  ...[2, 4, 8, 16].flatMap((n) => [pcm("sdxl", SDXL, n), pcm("sd15", SD15, n)]),
  ...[4, 8, 16].flatMap((n) => [pcm("sdxl", SDXL, n, 7.5), pcm("sd15", SD15, n, 7.5)]),
];
