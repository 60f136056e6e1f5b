/** The pairs that ship with the package: one base, three distillations of it. */
import { REASONS } from "./reasons.js";
import type { Control, PairRow } from "./schema.js";

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
  names: [],
  sha256: [],
  scheduler: null,
  guidanceFeatures: null,
  parameters: null,
  sampling: {
    base: { steps: 25, guidance: 5 },
    distilled: { scheduler: "LCMScheduler", timesteps: [999, 749, 499, 249], guidance: 0 },
  },
  // Measured against an LCM step at equal calls: docs/diversity.md.
  handoff: "ddim",
  size: null,
  licence: "CC0-1.0",
  source: "embedded/README.md",
  // The first two of the card's list, pair/prompts.json.
  prompts: ["a cartoon character", "a red cartoon character"],
  note:
    "The distilled model was made by distribution matching alone, with no term or choice whose purpose is diversity; its last checkpoint " +
    "ships (pair/README.md).",
  promptNote: "The default prompts are the first two of the card's list.",
  package: "variegate",
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
    reasons: REASONS,
  },
};

export const EMBEDDED_PAIRS: readonly PairRow[] = [
  EMBEDDED,
  {
    ...EMBEDDED,
    name: "embedded-lora",
    about: "the embedded pair in one set of weights: the distilled model as a LoRA on the base",
    distilled: "embedded:adapters/distilled.safetensors",
    note: "The LoRA was distilled by itself, by the plain recipe of the four-step model (pair/README.md).",
    promptNote: "",
  },
  {
    ...EMBEDDED,
    name: "embedded-lcm",
    about: "the embedded pair with a distilled model of another kind: LCM, guidance is an input of the network",
    distilled: "embedded:consistent",
    note: "The distilled model was made by latent consistency distillation, which loses little variety (pair/README.md).",
    promptNote: "",
    guidanceFeatures: 64,
    sampling: { ...EMBEDDED.sampling, distilled: { scheduler: "LCMScheduler", steps: 4, guidance: 5 } },
  },
];
