/** The options that several commands share, and how they become a request. */
import { existsSync } from "node:fs";
import { delimiter } from "node:path";
import { type Command, Option } from "commander";
import type { Dialect } from "../adapters/index.js";
import type { Control } from "../catalogue/index.js";
import type { SlideRequest } from "../control/index.js";
import { type GenerateRequest, MEMORIES } from "../generate/index.js";
import { VARIANTS } from "../hub/index.js";
import type { Library, Places } from "../lookup/index.js";
import type { MeasureRequest } from "../measure/index.js";
import { COMPUTES } from "../networks/index.js";
import type { AdapterReference, OpenOptions, PairReference } from "../open/index.js";
import { DEVICES } from "../runtime/index.js";
import type { Mode } from "../sampling/index.js";
import type { WordReference } from "../text/index.js";
import type { TraceRequest } from "../trajectory/index.js";
import { adapter, control, gigabytes, ratio, real, rows, seeds, size, tile, timesteps, whole, word } from "./values.js";

const SPACINGS = ["leading", "trailing", "linspace"] as const;
const PREDICTIONS = ["epsilon", "v_prediction", "sample"] as const;
const MODES = ["base", "distilled", "hybrid"] as const;

/** A user's own rows. */
export const withPairs = (): Option =>
  new Option("--pairs <file>", "a JSON file with rows of your own for --pair").env("VARIEGATE_PAIRS");

/** Precision of what is fetched. */
export const withVariant = (): Option =>
  new Option(
    "--variant <precision>",
    "what is fetched from the Hub where there are both (default: fp16; what is there is used)",
  ).choices(VARIANTS);

const collect = (text: string, all: readonly LoraOption[] = []): readonly LoraOption[] => [...all, adapter(text)];
const collectWords = (text: string, all: readonly WordReference[] = []): readonly WordReference[] => [
  ...all,
  word(text),
];
type LoraOption = ReturnType<typeof adapter>;

/** Where names are looked up that are no paths. */
export const withLibraries = (c: Command): Command =>
  c
    .addOption(
      new Option(
        "--comfy <dir>",
        "models by their names in ComfyUI's folder (or an extra_model_paths.yaml); repeatable",
      )
        .argParser(collectFolders)
        .env("VARIEGATE_COMFY"),
    )
    .addOption(
      new Option("--a1111 <dir>", "models by their names in A1111's folder; repeatable")
        .argParser(collectFolders)
        .env("VARIEGATE_A1111"),
    );

export const collectTexts = (text: string, all: readonly string[] = []): readonly string[] => [...all, text];
/** In the environment several stand in one, as in PATH. */
const collectFolders = (text: string, all: readonly string[] = []): readonly string[] => [
  ...all,
  ...(existsSync(text) ? [text] : text.split(delimiter).filter((folder) => folder !== "")),
];

/** Which models to open and where they run. */
export const withModels = (c: Command): Command =>
  withDevice(
    withLibraries(c)
      .option("--pair <name>", "a named pair, as `models list` shows them (default: embedded)")
      .addOption(withPairs())
      .option("--base <ref>", "the base model: a diffusers folder, one file, or a Hub id (owner/name)")
      .option(
        "--distilled <ref>",
        "the distilled model: a folder with unet/, a UNet folder or file, or a LoRA, here or on the Hub",
      )
      .option(
        "--text-encoder <ref>",
        "a text encoder of the base, where its file has none (repeatable: two for SDXL)",
        collectTexts,
      )
      .option("--lora <file[:scale]>", "a LoRA or slider on both models (repeatable)", collect)
      .option("--lora-base <file[:scale]>", "the same on the base only (repeatable)", collect)
      .option("--lora-distilled <file[:scale]>", "the same on the distilled model only (repeatable)", collect)
      .option("--allow-unmatched", "leave out keys of a LoRA that belong to no layer of the model")
      .option("--embedding <file[=token]>", "a learned word (textual inversion) for prompts (repeatable)", collectWords)
      .option("--decoder <ref>", "another autoencoder, such as a TAESD: a folder, a file, or madebyollin/taesdxl")
      .addOption(withVariant())
      .addOption(withCompute()),
  );

/** What networks compute in. */
export const withCompute = (): Option =>
  new Option("--compute <type>", "float16 on GPUs, int8 on the processor (default: float32)").choices(COMPUTES);

/** Where models run. */
export const withDevice = (c: Command): Command =>
  c
    .addOption(new Option("--device <name>", "where models run").choices(DEVICES).default("cpu" as const))
    .option("--threads <n>", "processor threads of one model call (default: all)", whole(1))
    .option("--room <GB>", "memory that a run may take, in GB (default: 0.8 of the machine's)", gigabytes);

/** How to sample. */
export const withSampling = (c: Command): Command =>
  c
    .option("--switch <k>", "hybrid: rows that the base takes, the first so many (default: 1)", whole())
    .addOption(
      new Option("--base-rows <list>", "hybrid: rows that the base takes, by number, such as 0,2")
        .argParser(rows)
        .conflicts("switch"),
    )
    .option("--skip <n>", "rows left out at the beginning (default: 0)", whole())
    .option("--steps <n>", "steps of the model's grid", whole())
    .option("--timesteps <list>", "the grid itself, such as 999,749,499,249", timesteps)
    .option("--scheduler <class>", "a diffusers scheduler class, such as EulerDiscreteScheduler")
    .addOption(new Option("--spacing <kind>", "how the grid is laid").choices(SPACINGS))
    .addOption(new Option("--prediction <kind>", "what the network predicts").choices(PREDICTIONS))
    .option("--eta <x>", "share of fresh noise in a step, DDIM and TCD (default: 0)", real(0, 1))
    .option("--guidance <x>", "classifier-free guidance; 1 and below is one forward", real(0))
    .option("--guidance-rescale <x>", "guidance rescale, 0 to 1 (default: 0)", real(0, 1))
    .option("--base-guidance <x>", "hybrid: guidance of the base (default: 0)", real(0))
    .option("--base-scheduler <class>", "hybrid: the base walks a grid of its own by this scheduler")
    .option("--base-steps <n>", "hybrid: the base walks a grid of its own of this many steps", whole(1))
    .addOption(new Option("--base-spacing <kind>", "hybrid: how the base's own grid is laid").choices(SPACINGS))
    .option("--ratio <a:b>", "hybrid: a steps of the base's own grid for each b distilled rows", ratio);

export const withMode = (c: Command): Command =>
  c.addOption(
    new Option("--mode <mode>", "who paints (default: hybrid where there is a distilled model)").choices(MODES),
  );

/** What to paint. */
export const withPictures = (c: Command): Command =>
  c
    .option("--negative <text>", "what to stay away from, where there is guidance")
    .option("--clip-skip <n>", "text encoder layers left out at the end", whole())
    .option("--seeds <list>", 'such as "0-7,42"', seeds)
    .option("--batch <n>", "pictures in one model call", whole(1))
    .addOption(
      new Option(
        "--memory <way>",
        "one set of weights (distilled as a LoRA), two, or one after the other (default: what fits the models and the memory)",
      ).choices(MEMORIES),
    )
    .option(
      "--tile <N>",
      "latents on the side of a tile that is decoded at a time, or off (default: by the memory)",
      tile,
    )
    .option("--size <WxH>", "pixels (default: what the model was made for)", size);

/** Where results go and how much is said. */
export const withOutput = (c: Command): Command =>
  withTalk(
    c
      .option("--out <dir>", "folder for the results (default: a new one under out/)")
      .option("--force", "write into a folder that holds another run"),
  );

export const withTalk = (c: Command): Command =>
  c
    .option("--json", "one JSON object a line on stdout")
    .option("--quiet", "no progress")
    .option("--debug", "show the stack of an error");

/** The options of `measure`. */
export const measureOf = (o: Options, folders: readonly string[]): MeasureRequest => ({
  folders,
  ...only(o, [
    "reference",
    "prompts",
    "clip",
    "dino",
    "dreamsim",
    "lpips",
    "inception",
    "attributes",
    "neighbours",
    "skipBad",
    "variant",
  ]),
  ...placesOf(o),
});

/** What commander makes of the options above; values have been checked by their parsers, and what was not given is not there. */
export type Options = PairReference &
  OpenOptions &
  Omit<GenerateRequest, "prompts" | "mode"> &
  Omit<MeasureRequest, "folders"> &
  Pick<TraceRequest, "fullSteps" | "preview" | "taesd" | "causal" | "watch"> & {
    readonly mode?: Mode | readonly Mode[];
    readonly slider?: string;
    readonly scales?: readonly number[];
    readonly concept?: string;
    readonly as?: "table" | "diffusers";
    readonly embedding?: readonly WordReference[];
    readonly textEncoder?: readonly string[];
    readonly comfy?: readonly string[];
    readonly a1111?: readonly string[];
    readonly lora?: readonly LoraOption[];
    readonly loraBase?: readonly LoraOption[];
    readonly loraDistilled?: readonly LoraOption[];
    readonly allowUnmatched?: boolean;
    readonly baseRows?: readonly number[];
    readonly clip?: string;
    readonly out?: string;
    readonly force?: boolean;
    readonly resume?: boolean;
    readonly saveLatents?: boolean;
    readonly json?: boolean;
    readonly quiet?: boolean;
  };

/** The options of `experiment` that other commands do not have, or have otherwise. */
export interface ExperimentWords {
  readonly images?: number;
  readonly slider?: readonly Control[];
  readonly workers?: number;
  readonly dryRun?: boolean;
}

export const collectControls = (text: string, all: readonly Control[] = []): readonly Control[] => [
  ...all,
  control(text),
];

/** The options of `experiment` that say with what it runs. */
export const experimentOf = (o: Omit<Options, "slider"> & ExperimentWords) => ({
  ...placesOf(o),
  ...only(o, [
    "pair",
    "pairs",
    "base",
    "distilled",
    "variant",
    "compute",
    "device",
    "threads",
    "reference",
    "clip",
    "dreamsim",
    "inception",
    "workers",
  ]),
});

/** The options of `adapter extract`. */
export interface ExtractOptions extends Options {
  readonly from: string;
  readonly to: string;
  readonly rank?: number;
  readonly energy?: number;
  readonly exact?: boolean;
  readonly biases?: boolean;
  readonly dialect: Dialect;
}

const only = <T extends object, K extends keyof T>(from: T, keys: readonly K[]): Pick<T, K> =>
  Object.fromEntries(keys.filter((k) => from[k] !== undefined).map((k) => [k, from[k]])) as Pick<T, K>;

/** Where to look names up. */
export const placesOf = ({ comfy = [], a1111 = [] }: Pick<Options, "comfy" | "a1111">): Places => {
  const libraries: Library[] = [
    ...comfy.map((path) => ({ kind: "comfy" as const, path })),
    ...a1111.map((path) => ({ kind: "a1111" as const, path })),
  ];
  return libraries.length > 0 ? { libraries } : {};
};

/** The options that say which models and where. */
export function modelsOf(o: Options): PairReference & OpenOptions {
  const models = only(o, [
    "pair",
    "pairs",
    "base",
    "distilled",
    "decoder",
    "variant",
    "compute",
    "device",
    "threads",
    "room",
  ]);
  const on = (list: readonly LoraOption[] | undefined, which: AdapterReference["on"]): AdapterReference[] =>
    (list ?? []).map((l) => ({ ...l, on: which ?? "both", allowUnmatched: o.allowUnmatched === true }));
  const adapters = [...on(o.lora, "both"), ...on(o.loraBase, "base"), ...on(o.loraDistilled, "distilled")];
  return {
    ...models,
    ...(adapters.length > 0 && { adapters }),
    ...(o.embedding && { embeddings: o.embedding }),
    ...(o.textEncoder && { textEncoders: o.textEncoder }),
    ...placesOf(o),
  };
}

/** The options that say what to paint and how. */
export const requestOf = (o: Options, prompts: readonly string[]): GenerateRequest => ({
  prompts,
  ...(typeof o.mode === "string" && { mode: o.mode }),
  ...(o.baseRows && { switch: o.baseRows }),
  ...only(o, [
    "switch",
    "steps",
    "timesteps",
    "scheduler",
    "spacing",
    "prediction",
    "eta",
    "guidance",
    "guidanceRescale",
    "baseGuidance",
    "baseScheduler",
    "baseSteps",
    "baseSpacing",
    "ratio",
    "skip",
    "negative",
    "clipSkip",
    "seeds",
    "batch",
    "memory",
    "tile",
    "size",
  ]),
});

/** The options of `trace`, which takes one prompt and several modes. */
export function traceOf(o: Options, prompt: string): TraceRequest {
  const { prompts: _, ...request } = requestOf(o, []);
  const own = only(o, ["fullSteps", "preview", "taesd", "causal", "watch", "clip"]);
  const seeds = o.seeds ?? [0, 1, 2, 3];
  return { ...request, ...own, seeds, prompt, ...(typeof o.mode === "object" && { modes: o.mode }) };
}

/** The options of `slide`, which takes one prompt, one slider and several modes. */
export function slideOf(o: Options, prompt: string): Omit<SlideRequest, "slider"> {
  const { prompts: _, ...request } = requestOf(o, []);
  const { seeds = [0, 1, 2, 3], scales = [-2, -1, 0, 1, 2] } = o;
  return {
    ...request,
    ...only(o, ["concept", "clip"]),
    seeds,
    scales,
    prompt,
    ...(typeof o.mode === "object" && { modes: o.mode }),
  };
}
