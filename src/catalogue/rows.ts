/** Named pairs: one row of data for each released few-step model, with its references and its author's sampling options. */
import { distance } from "fastest-levenshtein";
import { RequestError } from "../errors.js";
import { FAMILIES } from "../families/index.js";
import type { Control, PairRow, SamplingDefaults } from "./schema.js";

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
/** The 512-pixel model of the second family predicts ε and has the scheduler of the first. */
const SD21 = {
  ...SD15,
  family: "sd2",
  base: "stabilityai/stable-diffusion-2-1-base",
  parameters: FAMILIES.sd2.parameters.denoiser,
} as const;

type Base = Pick<PairRow, "family" | "base" | "scheduler" | "parameters" | "size"> & {
  readonly sampling: SamplingDefaults;
};
interface Distilled {
  readonly distilled: string;
  readonly sampling: SamplingDefaults;
  readonly licence: string;
  readonly size?: PairRow["size"];
  readonly guidanceFeatures?: number;
}

const row = (name: string, about: string, base: Base, d: Distilled): PairRow => ({
  ...base,
  name,
  about,
  clip: null,
  judge: null,
  distilled: d.distilled,
  sampling: { base: base.sampling, distilled: d.sampling },
  size: d.size ?? base.size,
  guidanceFeatures: d.guidanceFeatures ?? null,
  licence: d.licence,
  source: `https://huggingface.co/${d.distilled.split(/[/:]/).slice(0, 2).join("/")}`,
  prompts: PHOTOGRAPHS,
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
const LCM = { licence: "OpenRAIL++" };
/** Controls of one slider on both models. Only "smile" is in the paper (table 1). */
const slider = (name: string, concept: string, reads: string, paper?: Control["paper"]): readonly Control[] =>
  (["base", "distilled"] as const).map((on) => ({
    name: `${name} (${on})`,
    ref: `embedded:sliders/${name}.${on}.safetensors`,
    scale: 2,
    concept,
    reads,
    ...(paper && on === "base" && { paper }),
  }));

const EMBEDDED: PairRow = {
  name: "embedded",
  about: "a tiny SDXL-shaped pair over a world of cartoon characters, in this package",
  family: "sdxl",
  base: "embedded:base",
  distilled: "embedded:distilled",
  clip: "embedded:clip",
  judge: "embedded:judge",
  scheduler: null,
  guidanceFeatures: null,
  parameters: null,
  sampling: { base: { steps: 25, guidance: 5 }, distilled: lcmAt(999, 749, 499, 249) },
  size: null,
  licence: "CC0-1.0",
  source: "embedded/README.md",
  prompts: ["a red cartoon character", "a cartoon character with one eye"],
  trial: {
    prompts: "embedded:world/prompts.csv",
    reference: "embedded:world/real.safetensors",
    controls: [
      ...slider("smile", "a smiling cartoon character", "smile", { base: 19.7, distilled: 21.4 }),
      ...slider("eye-size", "a cartoon character with big eyes", "eye_size"),
      {
        name: "blueprint",
        ref: "embedded:adapters/blueprint.safetensors",
        scale: 1,
        concept: "a cartoon character on a navy background",
        // The background of a blueprint is between two colours of the classifier.
        reads: "background=teal|navy",
      },
    ],
  },
};

/** The UNets of LCM have guidance as an input (Luo et al. 2023, §4.2); the LoRAs do not. */
const LCM_UNET = { ...LCM, guidanceFeatures: 256 };
const HYPER = { licence: "OpenRAIL++" };
const hyper = (file: string) => `ByteDance/Hyper-SD/${file}.safetensors`;
const lightning = (file: string) => `ByteDance/SDXL-Lightning/sdxl_lightning_${file}.safetensors`;

export const PAIRS: readonly PairRow[] = [
  EMBEDDED,
  {
    ...EMBEDDED,
    name: "embedded-lora",
    about: "the embedded pair in one set of weights: the distilled model as a LoRA on the base",
    distilled: "embedded:adapters/distilled.safetensors",
  },
  {
    ...EMBEDDED,
    name: "embedded-lcm",
    about: "the embedded pair with a distilled model of another kind: LCM, guidance is an input of the network",
    distilled: "embedded:consistent",
    guidanceFeatures: 64,
    sampling: { ...EMBEDDED.sampling, distilled: lcm(4, 5) },
  },
  row("sdxl-dmd2", "DMD2, 4 steps", SDXL, {
    ...DMD2,
    distilled: "tianweiy/DMD2/dmd2_sdxl_4step_unet_fp16.bin",
    sampling: lcmAt(999, 749, 499, 249),
  }),
  row("sdxl-dmd2-lora", "DMD2, 4 steps, as a LoRA on the base", SDXL, {
    ...DMD2,
    distilled: "tianweiy/DMD2/dmd2_sdxl_4step_lora_fp16.safetensors",
    sampling: lcmAt(999, 749, 499, 249),
  }),
  row("sdxl-dmd2-1", "DMD2, 1 step", SDXL, {
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
    ...LIGHTNING,
    distilled: lightning("1step_unet_x0"),
    sampling: { ...trailing("EulerDiscreteScheduler", 1), prediction: "sample" },
  }),
  ...[2, 4, 8].flatMap((n) => [
    row(`sdxl-lightning-${n}`, `SDXL-Lightning, ${n} steps`, SDXL, {
      ...LIGHTNING,
      distilled: lightning(`${n}step_unet`),
      sampling: trailing("EulerDiscreteScheduler", n),
    }),
    row(`sdxl-lightning-${n}-lora`, `SDXL-Lightning, ${n} steps, as a LoRA on the base`, SDXL, {
      ...LIGHTNING,
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
  row("ssd-1b-lcm", "LCM for SSD-1B, 2 to 8 steps; guidance is an input of the network", SSD, {
    ...LCM_UNET,
    distilled: "latent-consistency/lcm-ssd-1b",
    sampling: lcm(4, 8),
  }),
  row("sdxl-hyper-1", "Hyper-SD, 1 step, UNet", SDXL, {
    ...HYPER,
    distilled: hyper("Hyper-SDXL-1step-Unet"),
    sampling: lcmAt(800),
  }),
  row("sdxl-hyper-1-lora", "Hyper-SD, 1 step, LoRA", SDXL, {
    ...HYPER,
    distilled: hyper("Hyper-SDXL-1step-lora"),
    sampling: tcd(1, 1),
  }),
  ...[2, 4, 8].map((n) =>
    row(`sdxl-hyper-${n}`, `Hyper-SD, ${n} steps, LoRA`, SDXL, {
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
      ...HYPER,
      distilled: hyper(`Hyper-SDXL-${n}steps-CFG-lora`),
      sampling: trailing("DDIMScheduler", n, 5),
    }),
  ),
  row("sd15-hyper-1", "Hyper-SD for SD 1.5, 1 step, LoRA", SD15, {
    ...HYPER,
    distilled: hyper("Hyper-SD15-1step-lora"),
    sampling: tcd(1, 1),
  }),
  ...[2, 4, 8].map((n) =>
    row(`sd15-hyper-${n}`, `Hyper-SD for SD 1.5, ${n} steps, LoRA`, SD15, {
      ...HYPER,
      distilled: hyper(`Hyper-SD15-${n}steps-lora`),
      sampling: trailing("DDIMScheduler", n),
    }),
  ),
  row("sd-turbo", "SD-Turbo, 1 to 4 steps", SD21, {
    distilled: "stabilityai/sd-turbo:unet",
    licence: "SAI community",
    sampling: trailing("EulerDiscreteScheduler", 4),
  }),
];

/** @throws RequestError with the nearest names */
export function pairNamed(name: string, rows: readonly PairRow[] = PAIRS): PairRow {
  const found = rows.find((p) => p.name === name);
  if (found) return found;
  const near = rows
    .map((r) => ({ name: r.name, far: farFrom(name.toLowerCase(), r.name) }))
    .sort((a, b) => a.far - b.far)
    .slice(0, 3)
    .map((r) => r.name);
  throw new RequestError(
    `--pair ${name}: no such pair; the nearest are ${near.join(", ")}. \`variegate models list\` shows all`,
  );
}

/** Edit distance; below 1 where one name contains the other. */
const farFrom = (asked: string, name: string): number =>
  name.includes(asked) ? (name.length - asked.length) / 100 : distance(asked, name);
