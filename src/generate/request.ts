/** A request to generate images: one schema, plain JSON. Checks values, not whether a pair can serve them. */
import { z } from "zod";
import { scaleSchema } from "../adapters/index.js";
import { type Mode, samplingFields } from "../sampling/index.js";
import { type InputOf, option } from "../schema/index.js";

/**
 * Loading strategies. none: both models stay loaded and images appear batch by batch. shared: one set of weights, the distilled model is
 * the base with its LoRA on. sequential: all prompts are encoded, then every batch runs the base's rows, then the distilled model's, then
 * all are decoded; a network is released before the next is loaded.
 */
export const OFFLOADS = ["none", "shared", "sequential"] as const;
export type Offload = (typeof OFFLOADS)[number];

const MOST_SEEDS = 100_000;
/** Latents: below that a tile is mostly the ring around it. */
const SMALLEST_TILE = 4;

const atLeast = (least: number) => {
  const error = `expected a whole number, at least ${least}`;
  return z.int({ error }).min(least, error);
};
const pixels = z.int({ error: "expected whole pixels, 1 to 16384" }).min(1).max(16384, "expected at most 16384 pixels");

/** "0-7,42" → [0, 1, …, 7, 42], each once. */
function readSeeds(text: string): number[] | undefined {
  const list = text.split(",").map((part) => {
    const [, a = "", b = a] = /^\s*(\d+)\s*(?:-\s*(\d+)\s*)?$/.exec(part) ?? [];
    const [from, to] = [Number(a), Number(b)];
    const fits = a !== "" && Number.isSafeInteger(to) && to >= from && to - from < MOST_SEEDS;
    return fits ? Array.from({ length: to - from + 1 }, (_, i) => from + i) : null;
  });
  return list.some((part) => part === null) ? undefined : [...new Set(list.flatMap((part) => part ?? []))];
}

/** "832x640" → width and height. */
function readSize(text: string): { width: number; height: number } | undefined {
  const [, width = "", height = ""] = /^(\d+)[x×](\d+)$/.exec(text) ?? [];
  return width === "" ? undefined : { width: Number(width), height: Number(height) };
}

const readMemory = (text: string) => (text === "dual" ? "none" : text);

/** An adapter of a request: its file, its scale, and the model it acts on. */
export const adapterSchema = z.strictObject({
  ref: z.string().min(1),
  /** A number, rows of the plan ("0@0-1,0.8@2-3"), blocks ("down=0,mid=1,up=0.5"), or all of these and samples as an object; default 1. */
  scale: z.union([z.number(), z.string(), scaleSchema]).exactOptional(),
  on: z.enum(["both", "base", "distilled"]).exactOptional(),
  /** Keys of the file that belong to no layer of the model are left out, not refused. */
  allowUnmatched: z.boolean().exactOptional(),
});

/** Fields of a request beside those of sampling. */
const imageFields = {
  negative: option(z.string(), { flag: "--negative <text>", about: "negative prompt, where there is guidance" }),
  clipSkip: option(atLeast(0), {
    flag: "--clip-skip <n>",
    about: "text encoder layers left out at the end (default: 0)",
  }),
  seeds: option(
    z
      .array(z.int({ error: "expected a whole number, at least 0" }).min(0, "expected a whole number, at least 0"))
      .min(1, "expected at least one seed"),
    {
      flag: "--seeds <list>",
      about: 'seeds, such as "0-7,42": one image for each prompt and seed (default: 0)',
      read: readSeeds,
      expected: 'a list of seeds such as "0-7,42" (whole numbers, 0 and up)',
    },
  ),
  batch: option(atLeast(1), {
    flag: "--batch <n>",
    about: "samples in one model call (default: as many as suit the size, at most 16)",
  }),
  offload: option(
    z.enum(OFFLOADS),
    {
      flag: "--offload <strategy>",
      about:
        "models loaded at a time: both, one set of weights with the distilled LoRA, or one after the other (default: by the memory budget)",
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
      about: "latents on the side of a tile that is decoded at a time, or off (default: by the memory budget)",
      read: (text) => (text === "off" ? "off" : /^\d+$/.test(text) ? Number(text) : undefined),
      expected: `a whole number of latents, at least ${SMALLEST_TILE}, or "off"`,
    },
  ),
  size: option(z.strictObject({ width: pixels, height: pixels }), {
    flag: "--size <WxH>",
    about: "width and height in pixels (default: the model's own)",
    read: readSize,
    expected: 'a size such as "832x640" (width x height in pixels)',
  }),
  /** LoRAs and sliders of this run, beside those of the pair. */
  adapters: z.array(adapterSchema).exactOptional(),
  /** Samples to generate, of all prompts and seeds; default all of them. */
  samples: z.array(z.strictObject({ prompt: atLeast(0), seed: atLeast(0) })).exactOptional(),
} as const;

/** All fields of a request to generate images, apart from the prompts. */
export const requestFields = { ...samplingFields, ...imageFields } as const;

export const requestSchema = z.strictObject({
  prompts: z.array(z.string()).min(1, "expected at least one prompt"),
  ...requestFields,
});

/** A request to generate one image for each prompt and seed. Everything that is left out comes from the pair. */
export type GenerateRequest = { readonly prompts: readonly string[] } & InputOf<typeof requestFields>;

/** Fields that say how the few-step schedule runs: the base alone takes its own. */
const FEW_STEP_FIELDS = Object.keys(samplingFields).filter((name) => name !== "guidanceRescale");

/** The same images in another mode: what was asked of the schedule is for the distilled model and the hybrid, the base alone takes its own. */
export function requestForMode(mode: Mode, given: GenerateRequest): GenerateRequest {
  if (mode !== "base") return { ...given, mode };
  const own = Object.entries(given).filter(([name]) => !FEW_STEP_FIELDS.includes(name));
  return { prompts: given.prompts, ...Object.fromEntries(own), mode };
}
