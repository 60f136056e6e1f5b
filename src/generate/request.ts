/** Schema of a request to generate images, as plain JSON. Checks values, not whether a pair supports them. */
import { z } from "zod";
import { scaleSchema } from "../adapters/fields.js";
import { RequestError } from "../errors.js";
import { samplingFields } from "../sampling/fields.js";
import type { Mode } from "../sampling/index.js";
import { grouped, type InputOf, option } from "../schema/index.js";
import { PROMPT_SYNTAXES, plainText } from "../text/fields.js";

/**
 * Loading strategies. none: both models stay loaded and images appear batch by batch. shared: one set of weights, where the distilled
 * model is a LoRA on the base. sequential: all prompts are encoded, then all batches run the base's rows, then the distilled model's, then
 * all are decoded; each network is released before the next is loaded.
 */
export const OFFLOADS = ["none", "shared", "sequential"] as const;
export type Offload = (typeof OFFLOADS)[number];

/** Longest text of T5 that diffusers' pipelines take. */
const MOST_TOKENS = 512;
const SEED = "expected an integer, at least 0 and below 2^53";
const TEXT_TOKENS = `expected an integer, 1 to ${MOST_TOKENS}`;

const MOST_SEEDS = 100_000;
/** In latents. A smaller tile would consist mostly of its margin. */
const SMALLEST_TILE = 4;

const atLeast = (least: number) => {
  const error = `expected an integer, at least ${least}`;
  return z.int({ error }).min(least, error);
};
const pixels = z.int({ error: "expected whole pixels, 1 to 16384" }).min(1).max(16384, "expected at most 16384 pixels");

/** "0-7,42" → [0, 1, …, 7, 42], each once; undefined for other text. @throws RequestError for a falling range, or too many seeds */
function readSeeds(text: string): number[] | undefined {
  const ranges: [from: number, to: number][] = [];
  for (const part of text.split(",")) {
    const [, a = "", b = a] = /^\s*(\d+)\s*(?:-\s*(\d+)\s*)?$/.exec(part) ?? [];
    const [from, to] = [Number(a), Number(b)];
    if (a === "" || !Number.isSafeInteger(to)) return undefined;
    if (to < from) throw new RequestError(`A range of seeds rises: write ${to}-${from}`);
    ranges.push([from, to]);
  }
  const total = ranges.reduce((n, [from, to]) => n + to - from + 1, 0);
  if (total > MOST_SEEDS) throw new RequestError(`These are ${total} seeds; expected at most ${MOST_SEEDS} in one run`);
  return [...new Set(ranges.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, i) => from + i)))];
}

/** "832x640" → width and height; "512" → a square. */
function readSize(text: string): { width: number; height: number } | undefined {
  const [, width = "", height = width] = /^(\d+)(?:[x×](\d+))?$/.exec(text) ?? [];
  return width === "" ? undefined : { width: Number(width), height: Number(height) };
}

const readMemory = (text: string) => (text === "dual" ? "none" : text);

/** Adapter of a request: its file, its scale, and the models it applies to. */
export const adapterSchema = z.strictObject({
  ref: z.string().min(1),
  /** A number, rows of the plan ("0@0-1,0.8@2-3"), blocks ("down=0,mid=1,up=0.5"), or all of these and samples as an object; default 1. */
  scale: z.union([z.number(), z.string(), scaleSchema]).exactOptional(),
  on: z.enum(["both", "base", "distilled"]).exactOptional(),
  /** Ignores keys of the file that match no layer of the model, instead of refusing the file. */
  allowUnmatched: z.boolean().exactOptional(),
});

/** Fields of a request, without those of sampling. */
const imageFields = grouped("what", {
  negative: option(z.string(), {
    flag: "--negative <text>",
    aliases: ["--negative-prompt", "--uncond"],
    about: "negative prompt, used with a guidance scale above 1",
  }),
  promptSyntax: option(z.enum(PROMPT_SYNTAXES), {
    flag: "--prompt-syntax <name>",
    about:
      "markup in prompts: none (plain), or weights, <lora:name:1> and long prompts as in A1111 (a1111) or ComfyUI (comfy); default: plain",
  }),
  clipSkip: option(atLeast(0), {
    flag: "--clip-skip <n>",
    about: "number of final text encoder layers to skip (default: 0)",
  }),
  textTokens: option(z.int({ error: TEXT_TOKENS }).min(1, TEXT_TOKENS).max(MOST_TOKENS, TEXT_TOKENS), {
    flag: "--text-tokens <n>",
    aliases: ["--max-sequence-length"],
    about: `length of T5's text in tokens, padding too, 1 to ${MOST_TOKENS} (default: the model's: 512 for FLUX.1-dev and Chroma, else 256)`,
  }),
  seeds: option(z.array(z.int({ error: SEED }).min(0, SEED)).min(1, "expected at least one seed"), {
    flag: "--seeds <list>",
    aliases: ["--seed"],
    group: "seeds",
    about: 'seeds, such as "0-7,42": one image for each prompt and seed (default: 0)',
    read: readSeeds,
    expected: 'a list of seeds such as "0-7,42" (integers, at least 0 and below 2^53)',
  }),
  batch: option(atLeast(1), {
    flag: "--batch <n>",
    aliases: ["--batch-size"],
    group: "seeds",
    about: "samples in one model call (default: by image size, at most 16)",
  }),
  offload: option(
    z.enum(OFFLOADS),
    {
      flag: "--offload <strategy>",
      group: "machine",
      about:
        "models in memory: both (none), one set of weights with the distilled LoRA (shared), one model at a time (sequential); default: by the memory budget",
    },
    {
      flag: "--memory <strategy>",
      about: "earlier name of --offload",
      read: readMemory,
      renamed: "--offload (dual is none now)",
    },
  ),
  tile: option(
    z.union([atLeast(SMALLEST_TILE), z.literal("off")], {
      error: `expected at least ${SMALLEST_TILE} latents, or "off"`,
    }),
    {
      flag: "--tile <n>",
      group: "machine",
      about: "side of a decoding tile in latents, or off (default: by the memory budget)",
      read: (text) => (text === "off" ? "off" : /^\d+$/.test(text) ? Number(text) : undefined),
      expected: `a number of latents, at least ${SMALLEST_TILE}, or "off"`,
    },
  ),
  size: option(
    z.strictObject({ width: pixels, height: pixels }),
    {
      flag: "--size <WxH>",
      about: "width and height in pixels, or one number for a square (default: the model's own)",
      read: readSize,
      expected: 'a size such as "832x640" (width x height in pixels), or "512" for a square',
    },
    { flag: "--width <pixels>", part: "width", about: "width in pixels, beside --height" },
    { flag: "--height <pixels>", part: "height", about: "height in pixels, beside --width" },
  ),
  /** LoRAs and sliders of this run, in addition to the pair's. */
  adapters: z.array(adapterSchema).exactOptional(),
  /** Samples to generate; default: every prompt with every seed. */
  samples: z.array(z.strictObject({ prompt: atLeast(0), seed: atLeast(0) })).exactOptional(),
} as const);

/** All fields of a request to generate images, apart from the prompts. */
export const requestFields = { ...samplingFields, ...imageFields } as const;

export const requestSchema = z.strictObject({
  prompts: z.array(z.string()).min(1, "expected at least one prompt"),
  ...requestFields,
});

/** Request to generate one image for each prompt and seed. Omitted fields take the pair's defaults. */
export type GenerateRequest = { readonly prompts: readonly string[] } & InputOf<typeof requestFields>;

/** Prompts of a request without their markup, for measures that compare images with prompts. */
export const plainPrompts = ({ prompts, promptSyntax = "plain" }: GenerateRequest): string[] =>
  prompts.map((prompt) => plainText(prompt, promptSyntax));

/** Fields of a choice of seeds. */
export type ChoiceField = "choose" | "chooseBy" | "chooseFit" | "choosePrune";

/** Fields of the few-step schedule. The base alone runs its own schedule. */
const FEW_STEP_FIELDS = Object.keys(samplingFields).filter((name) => name !== "guidanceRescale");

/** Fields that say how the two models of a hybrid share a run. */
export const HYBRID_FIELDS = [
  "switch",
  "baseGuidance",
  "handoff",
  "baseScheduler",
  "baseSteps",
  "baseSpacing",
  "ratio",
  "anchor",
] as const;

/** Fields that a run in one mode does not read. */
const UNREAD: { readonly [M in Mode]: readonly string[] } = {
  base: FEW_STEP_FIELDS,
  distilled: HYBRID_FIELDS,
  hybrid: [],
};

/**
 * Copies a request to another mode, with the fields that the mode reads. Schedule fields apply to the distilled model and the hybrid; the
 * base alone runs its own schedule.
 */
export function requestForMode(mode: Mode, given: GenerateRequest): GenerateRequest {
  const read = Object.entries(given).filter(([name]) => !UNREAD[mode].includes(name));
  return { prompts: given.prompts, ...Object.fromEntries(read), mode };
}
