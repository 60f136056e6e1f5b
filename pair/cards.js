// The model cards of the pairs of this repository: what is generated for each, and where its numbers stand.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const list = (relative) => JSON.parse(readFileSync(path(relative), "utf8"));

/** The base's step: it draws new noise, or keeps the noise that it predicts. Stated, because pairs have defaults of their own. */
const LCM = { handoff: "lcm" };
const DDIM = { handoff: "ddim" };

/** Modes of a pair: [name, pair, request]; the first is what the others are held against. */
const modesOf = (pair) => [
  ["base, 25 steps", pair, { mode: "base" }],
  ["base, 50 steps", pair, { mode: "base", steps: 50 }],
  ["distilled", pair, { mode: "distilled" }],
  ["hybrid, k = 1", pair, { mode: "hybrid", switch: 1, ...LCM }],
  ["hybrid, k = 2", pair, { mode: "hybrid", switch: 2, ...LCM }],
  ["hybrid, k = 1, guided", pair, { mode: "hybrid", switch: 1, ...LCM, baseGuidance: 5 }],
  ["hybrid, k = 1, DDIM", pair, { mode: "hybrid", switch: 1, ...DDIM }],
  ["hybrid, 2 of 8 steps", pair, { mode: "hybrid", switch: 1, baseScheduler: "DDIMScheduler", baseSpacing: "trailing", baseSteps: 8, baseGuidance: 0 }],
];

export const CARDS = {
  embedded: {
    folder: path("../embedded"),
    prompts: list("./prompts.json"),
    modes: [
      ...modesOf("embedded"),
      ["distilled, LoRA", "embedded-lora", { mode: "distilled" }],
      ["hybrid, LoRA, k = 1", "embedded-lora", { mode: "hybrid", switch: 1, ...LCM }],
      ["hybrid, LoRA, k = 1, DDIM", "embedded-lora", { mode: "hybrid", switch: 1, ...DDIM }],
      ["distilled, LCM", "embedded-lcm", { mode: "distilled" }],
      ["hybrid, LCM, k = 1", "embedded-lcm", { mode: "hybrid", switch: 1, ...LCM }],
      ["distilled, taught", "embedded-taught", { mode: "distilled" }],
      ["hybrid, taught, k = 1", "embedded-taught", { mode: "hybrid", switch: 1, ...LCM }],
      ["hybrid, taught, k = 1, DDIM", "embedded-taught", { mode: "hybrid", switch: 1, ...DDIM }],
    ],
    slides: { prompt: "a cartoon character", scales: [-2, -1, 0, 1, 2], sliders: { smile: "smile", "eye-size": "eye_size" } },
    /** What the style and the word are for, in values that the judge reads: the blueprint's paper lies between two colours that it knows. */
    adapters: {
      blueprint: { with: { adapters: [{ ref: "embedded:adapters/blueprint.safetensors" }] }, prompt: "a cartoon character", wanted: { background: ["navy", "teal"] } },
      "<pip>": {
        with: { embeddings: [{ ref: "embedded:adapters/pip.safetensors" }] },
        prompt: "a <pip> cartoon character",
        wanted: { color: ["pink"], shape: ["square"], hat: ["crown"], extra: ["antennae"], eyes: [3] },
      },
    },
  },
  emoji: {
    folder: path("../packages/pair-emoji"),
    prompts: list("../packages/pair-emoji/data/prompts.json"),
    modes: modesOf("emoji"),
    /** Prompts of people, and attributes whose shares are shown for them. */
    shares: { prompts: ["a person", "a sports person"], attributes: ["tone", "gender"] },
  },
};
