/** Fields of a request that name models and the machine to run on. */
import { existsSync } from "node:fs";
import { delimiter } from "node:path";
import { z } from "zod";
import { parseScale } from "../adapters/fields.js";
import { RequestError } from "../errors.js";
import { adapterSchema } from "../generate/fields.js";
import { VARIANTS } from "../hub/fields.js";
import type { DownloadOptions } from "../hub/index.js";
import type { ModelFolder } from "../lookup/index.js";
import { COMPUTES } from "../networks/fields.js";
import type { Compute, Preparing } from "../networks/index.js";
import { DEVICES, UPCASTS } from "../runtime/fields.js";
import type { Device } from "../runtime/index.js";
import { grouped, type InputOf, option, parseRequest, type ReadonlyData } from "../schema/index.js";

const text = z.string().min(1);

/** Reference to an adapter in a request. */
export type AdapterReference = ReadonlyData<z.input<typeof adapterSchema>>;

const WEIGHT_FILE = /\.(safetensors|pt|bin|pth|ckpt)$/i;

/** "FILE", "FILE:0.8", "FILE:0@0-1,0.8@2-3" or "FILE:down=0,up=0.5". @throws RequestError for an invalid scale */
export function readAdapterReference(value: string, on: AdapterReference["on"] = "both"): AdapterReference {
  const [, ref = "", scale = ""] = /^(.+):([^:/\\]+)$/.exec(value) ?? [];
  const which = on === "both" ? {} : { on };
  if (ref === "" || existsSync(value) || WEIGHT_FILE.test(scale)) return { ref: value, ...which };
  parseScale(scale);
  const number = Number(scale);
  return { ref, scale: Number.isFinite(number) ? number : scale, ...which };
}

/** Reference to a textual inversion in a request. */
const embeddingSchema = z.strictObject({
  ref: text,
  /** Token in prompts; default: the name in the file, else the file name in angle brackets. */
  token: text.exactOptional(),
});

/** "FILE" or "FILE=token". */
function readEmbedding(value: string): { ref: string; token?: string } {
  const [, ref = "", token = ""] = /^(.+)=(.+)$/.exec(value) ?? [];
  return ref === "" || existsSync(value) ? { ref: value } : { ref, token };
}

/**
 * One folder, or several separated as in PATH. The environment names folders for every command, so a missing one there is refused only
 * when models are looked up. @throws RequestError for one that does not exist
 */
const readFolders = (kind: ModelFolder["kind"], env: string) => (value: string) => {
  const paths = existsSync(value) ? [value] : value.split(delimiter).filter((folder) => folder !== "");
  const missing = paths.find((path) => !existsSync(path));
  if (missing !== undefined && value !== process.env[env])
    throw new RequestError(`${missing}: there is no such file or folder`);
  return paths.map((path) => ({ kind, path }));
};

/** "12.5" → bytes. */
const readGigabytes = (value: string) => (value.trim() !== "" && Number(value) > 0 ? Number(value) * 1e9 : undefined);

/** Model folders to search, and the precision of downloads. */
export const lookupFields = grouped("models", {
  modelFolders: option(
    z.array(z.strictObject({ kind: z.enum(["comfy", "a1111"]), path: text })),
    {
      flag: "--comfy <dir>",
      about: "ComfyUI's folder, or an extra_model_paths.yaml: its models are found by name (repeatable)",
      repeatable: true,
      env: "VARIEGATE_COMFY",
      read: readFolders("comfy", "VARIEGATE_COMFY"),
    },
    {
      flag: "--a1111 <dir>",
      about: "A1111's folder: its models are found by name (repeatable)",
      repeatable: true,
      env: "VARIEGATE_A1111",
      read: readFolders("a1111", "VARIEGATE_A1111"),
    },
  ),
  variant: option(z.enum(VARIANTS), {
    flag: "--variant <precision>",
    about: "precision to download from the Hub if a repository has both (default: fp16)",
  }),
} as const);

/** Fields that name a pair of models. */
export const modelFields = grouped("models", {
  pair: option(text, { flag: "--pair <name>", about: "named pair, listed by `models list` (default: embedded)" }),
  pairs: option(text, {
    flag: "--pairs <file>",
    about: "JSON file with further named pairs for --pair",
    env: "VARIEGATE_PAIRS",
  }),
  base: option(text, {
    flag: "--base <ref>",
    aliases: ["--model", "--checkpoint", "--ckpt"],
    about: "base model: a diffusers folder, a checkpoint file, or a Hub id (owner/name)",
  }),
  distilled: option(text, {
    flag: "--distilled <ref>",
    about: "distilled model: a diffusers folder, a UNet folder or file, or a LoRA, local or on the Hub",
  }),
  textEncoders: option(z.array(text), {
    flag: "--text-encoder <ref>",
    about: "text encoder of a base without one (repeatable: two for SDXL)",
    repeatable: true,
    read: (value) => value,
  }),
  tokenizer: option(text, {
    flag: "--tokenizer <ref>",
    about: "tokenizer of a text encoder in a file, other than CLIP: a folder, a GGUF file, or a Hub id (Qwen/Qwen3-4B)",
  }),
  decoder: option(text, {
    flag: "--decoder <ref>",
    aliases: ["--vae"],
    about: "autoencoder instead of the base's, such as a TAESD: a folder, a file, or a Hub id (madebyollin/taesdxl)",
  }),
  /** LoRAs and sliders applied in every run. */
  adapters: option(
    z.array(adapterSchema),
    ...(
      [
        ["--lora", "both", "LoRA or slider applied to both models (repeatable)"],
        ["--lora-base", "base", "LoRA or slider applied to the base only (repeatable)"],
        ["--lora-distilled", "distilled", "LoRA or slider applied to the distilled model only (repeatable)"],
      ] as const
    ).map(([flag, on, about]) => ({
      flag: `${flag} <file[:scale]>`,
      group: "adapters" as const,
      about,
      repeatable: true as const,
      read: (value: string) => readAdapterReference(value, on),
    })),
  ),
  allowUnmatched: option(z.boolean(), {
    flag: "--allow-unmatched",
    group: "adapters",
    about: "ignore keys of a LoRA that match no layer of the model",
  }),
  embeddings: option(z.array(embeddingSchema), {
    flag: "--embedding <file[=token]>",
    aliases: ["--textual-inversion"],
    group: "adapters",
    about: "textual inversion, used in prompts by its token (repeatable)",
    repeatable: true,
    read: readEmbedding,
  }),
  ...lookupFields,
  compute: option(z.enum([...COMPUTES, "auto"]), {
    flag: "--compute <type>",
    aliases: ["--dtype", "--precision"],
    group: "machine",
    about:
      "compute type of networks: float16 on GPUs, bfloat16 on OpenVINO, int8 on the CPU; auto measures which is fastest here (default: float32)",
  }),
} as const);

/** Fields that describe the machine to run on. */
export const machineFields = grouped("machine", {
  device: option(z.enum(DEVICES), { flag: "--device <name>", about: "device that runs the models (default: cpu)" }),
  threads: option(z.int({ error: "expected an integer, at least 1" }).min(1, "expected at least 1"), {
    flag: "--threads <n>",
    about: "CPU threads of one model call (default: all)",
  }),
  memoryBudget: option(
    z.number().positive(),
    {
      flag: "--memory-budget <GB>",
      about: "memory that a run may use, in GB (default: 0.8 of the machine's)",
      read: readGigabytes,
      expected: 'a number of GB such as "12"',
    },
    {
      flag: "--room <GB>",
      about: "earlier name of --memory-budget",
      read: readGigabytes,
      expected: 'a number of GB such as "12"',
      renamed: "--memory-budget",
    },
  ),
  upcast: option(z.enum(UPCASTS), {
    flag: "--upcast <when>",
    about:
      "time at which float16, bfloat16 and GGUF weights become float32 on the CPU: at-load is faster, per-call takes less memory (default: by the memory budget)",
  }),
} as const);

export const pairSchema = z.strictObject(modelFields);

/** Models to open: a named pair, or a base with an optional distilled model. */
export type PairReference = InputOf<typeof modelFields>;

/** Options of the command line that name the models of a pair. */
export const modelFlags = ({ pair, pairs, base, distilled }: PairReference): string[] =>
  Object.entries({ pair, pairs, base, distilled }).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name} ${value}`],
  );

/** A compute type on a device. */
export interface ComputeOn {
  readonly device: Device;
  readonly compute: Compute;
}

/** Progress of `compute: "auto"`: the compute type that is measured now, how many were before it, and of how many. */
export interface MeasuringCompute extends ComputeOn {
  readonly done: number;
  readonly total: number;
}

/** Machine to run on, and callbacks for downloads and weight preparation. */
export interface OpenOptions extends InputOf<typeof machineFields>, DownloadOptions {
  /** CLIPModel that judges images of this pair; default: the pair's own. */
  readonly clip?: string;
  /**
   * Most samples of a denoiser call that runs share which go on at the same time on one pair. Where the distilled model is a LoRA, such a call
   * may have rows of the base and of the distilled model, of different prompts. An image differs then in its last bits from one made alone,
   * as in a batch of another size. Default 1: every run makes its own calls.
   */
  readonly joinCalls?: number;
  /** Called while weights are unpacked or quantised, which happens once for each file. */
  readonly onPrepare?: (preparing: Preparing) => void;
  /** Called before each compute type is measured, for `compute: "auto"`. */
  readonly onMeasure?: (measuring: MeasuringCompute) => void;
}

/** All fields of the arguments of `openPair`. The command line passes the fields of its request that name models. */
const argumentSchema = z.strictObject({
  ...modelFields,
  ...machineFields,
  clip: text.exactOptional(),
  joinCalls: z.int({ error: "expected an integer, at least 1" }).min(1, "expected at least 1").exactOptional(),
  onDownload: z.unknown().exactOptional(),
  onPrepare: z.unknown().exactOptional(),
  onMeasure: z.unknown().exactOptional(),
  signal: z.unknown().exactOptional(),
});

/** Validates arguments of `openPair` and returns them unchanged. @throws RequestError with the invalid field */
export function checkReferenceFields<T extends PairReference & OpenOptions>(given: T): T {
  parseRequest(argumentSchema, given);
  return given;
}

/** The fields of a larger request that are arguments of `openPair`. */
export function argumentsOf(request: PairReference & OpenOptions): PairReference & OpenOptions {
  return Object.fromEntries(Object.entries(request).filter(([name]) => name in argumentSchema.shape));
}
