/** Named pairs: one row of data for each released few-step model, with its references and its author's sampling options. Those of UNets are here. */
import { FAMILIES } from "../families/index.js";
import { EMBEDDED_PAIRS } from "./embedded.js";
import { type Base, hyper, hyperNames, row, square } from "./pair-row.js";
import type { PairRow, SamplingDefaults } from "./schema.js";
import { TRANSFORMER_PAIRS } from "./transformer-pairs.js";

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
const lightning = (file: string) => `ByteDance/SDXL-Lightning/sdxl_lightning_${file}.safetensors`;
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
  ...TRANSFORMER_PAIRS,
  ...[2, 4, 8, 16].flatMap((n) => [pcm("sdxl", SDXL, n), pcm("sd15", SD15, n)]),
  ...[4, 8, 16].flatMap((n) => [pcm("sdxl", SDXL, n, 7.5), pcm("sd15", SD15, n, 7.5)]),
];
