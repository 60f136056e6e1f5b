/** Config files of other trainers as options of `train`: kohya's TOML, the arguments of diffusers' scripts, the official slider trainer's YAML. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { codeOf, FileError, RequestError, reasonOf } from "../errors.js";
import { parseJson, tomlEntries } from "../files/index.js";
import { type Fields, formsOf, nearest } from "../schema/index.js";
import { longOf } from "./aliases.js";
import { flagValue } from "./fields.js";
import type { Terminal } from "./terminal.js";

/** Flags of keys that are named otherwise here. */
const NAMES: Readonly<Record<string, string>> = {
  network_dim: "--rank",
  network_alpha: "--alpha",
  lora_alpha: "--alpha",
  unet_lr: "--learning-rate",
  batch_size: "--batch",
  flip_aug: "--flip",
  min_snr_gamma: "--snr-gamma",
  class_tokens: "--class-prompt",
  sample_every_n_steps: "--sample-every",
  prompts_file: "--prompts",
  "network.type": "--type",
  "network.rank": "--rank",
  "network.alpha": "--alpha",
  "network.training_method": "--layers",
  "train.iterations": "--iterations",
  "train.lr": "--learning-rate",
};
/** Keys that name the folder of images, and the model. */
const FOLDER = ["train_data_dir", "instance_data_dir", "image_dir"];
const BASE = ["pretrained_model_name_or_path", "pretrained_teacher_model", "pretrained_model.name_or_path"];
/** Flags whose value is a path, which is relative to the config. */
const PATHS = ["--prompts", "--images", "--positive-images", "--negative-images"];

/** Keys of what is always so here, with the value that they have then. */
const FIXED: Readonly<Record<string, unknown>> = {
  gradient_accumulation_steps: 1,
  lr_scheduler: "cosine",
  lr_warmup_steps: 10,
  optimizer_type: "AdamW",
  max_grad_norm: 1,
  network_module: "networks.lora",
  network_train_unet_only: true,
  caption_extension: ".txt",
  enable_bucket: true,
  num_repeats: 1,
  is_reg: false,
  shuffle_caption: false,
  with_prior_preservation: true,
  logit_mean: 0,
  logit_std: 1,
  mode_scale: 1.29,
  guidance_scale: 3.5,
  precondition_outputs: 0,
  "train.noise_scheduler": "ddim",
  "train.optimizer": "AdamW",
  "train.lr_scheduler": "constant",
  "train.max_denoising_steps": 50,
};
/** Keys that do not change what is learned: output, logging, precision and memory. */
const WITHOUT_EFFECT =
  /^(output_|logging_|log_|save_|save\.|logging\.|other\.|report_to|wandb|tracker|checkpoint|hub_|push_to_hub|mixed_precision|full_|fp8|allow_tf32|.*xformers|sdpa|mem_eff_attn|cache_|.*workers|lowram|no_half_vae|use_8bit_adam|num_validation_images|validation_epochs|train\.precision|pretrained_model\.v|v2$|v_parameterization|resume_from_checkpoint|local_rank)/;

/** What a config file sets. */
export interface Configured {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly folder?: string;
  readonly base?: string;
}

/**
 * Reads the options of a command from a config. Keys that are read and have no effect are named in a warning.
 * @throws FileError for a file that cannot be read; RequestError naming unknown keys, or one with a wrong value
 */
export function readConfig(terminal: Pick<Terminal, "warn">, fields: Fields, file: string): Configured {
  const found: Record<string, unknown> = {};
  const places: { folder?: string; base?: string } = {};
  const [unknown, unused]: [string[], string[]] = [[], []];
  const near = (place: string) => (path.isAbsolute(place) ? place : path.join(path.dirname(file), place));
  const seen = new Map<string, string>();
  for (const [key, value] of entriesOf(file)) {
    const [before, text] = [seen.get(key), JSON.stringify(value)];
    seen.set(key, text);
    if (before !== undefined && before !== text)
      throw new RequestError(
        `${file}: ${key} is ${before} and ${text}: one folder with one setting is trained on here; put all images into one`,
      );
    const flag = NAMES[key] ?? `--${key.replaceAll("_", "-")}`;
    const given = value === null ? null : flagValue(fields, flag, textOf(flag, value, near), `${file}: ${key}`);
    if (given) found[given.field] = given.value;
    else if (value === null) unused.push(key);
    else if (FOLDER.includes(key)) places.folder = near(String(value));
    else if (BASE.includes(key)) places.base = String(value);
    else if (key in FIXED) {
      if (FIXED[key] !== value) unused.push(`${key} (${JSON.stringify(value)}; here ${JSON.stringify(FIXED[key])})`);
    } else if (WITHOUT_EFFECT.test(key)) unused.push(key);
    else unknown.push(key);
  }
  if (unknown.length > 0) {
    const [meant] = nearest(unknown[0] ?? "", [...known(fields)]);
    const hint = meant ? ` (did you mean ${meant}?)` : "";
    throw new RequestError(`${file}: there is no counterpart here for ${unknown.join(", ")}${hint}; remove these keys`);
  }
  if (unused.length > 0) terminal.warn(`${file}: without effect here: ${unused.join(", ")}`);
  return { fields: found, ...places };
}

/** Keys that have a counterpart for a command. */
function* known(fields: Fields): Iterable<string> {
  yield* Object.keys(NAMES);
  yield* Object.keys(FIXED);
  yield* [...FOLDER, ...BASE];
  for (const field of Object.values(fields))
    for (const { flag, aliases = [] } of formsOf(field))
      yield* [longOf(flag), ...aliases].map((name) => name.replace(/^--/, "").replaceAll("-", "_"));
}

/** Value of a key as the text of a flag. */
function textOf(flag: string, value: unknown, near: (place: string) => string): string | boolean {
  if (typeof value === "boolean") return value;
  const text = Array.isArray(value) ? value.join("x") : String(value);
  if (PATHS.includes(flag)) return near(text);
  // diffusers' scripts write "logit_normal".
  if (flag === "--weighting-scheme") return text.replaceAll("_", "-");
  // kohya writes a size as "512,512".
  return flag === "--resolution" || flag === "--size" ? text.replace(",", "x").replaceAll(" ", "") : text;
}

/** Keys with their values; those of tables as "table.key", but for TOML, whose tables kohya takes as headings. */
function entriesOf(file: string): (readonly [string, unknown])[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new FileError(file, codeOf(error) === "ENOENT" ? "there is no such file" : reasonOf(error), { cause: error });
  }
  const ending = path.extname(file).toLowerCase();
  if (ending === ".toml") return tomlEntries(file, text).map(({ path: keys, value }) => [keys.at(-1) ?? "", value]);
  if (![".json", ".yaml", ".yml"].includes(ending))
    throw new RequestError(`--config ${file}: expected a .toml, .json, .yaml or .yml file`);
  const parsed = z
    .record(z.string(), z.unknown())
    .safeParse(ending === ".json" ? parseJson(text) : parsedYaml(file, text));
  if (!parsed.success) throw new FileError(file, "expected an object of options");
  return flat(parsed.data);
}

function parsedYaml(file: string, text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    throw new FileError(file, `is no YAML (${reasonOf(error)})`, { cause: error });
  }
}

const flat = (value: Readonly<Record<string, unknown>>, prefix = ""): (readonly [string, unknown])[] =>
  Object.entries(value).flatMap(([key, inner]): (readonly [string, unknown])[] => {
    const object = z.record(z.string(), z.unknown()).safeParse(inner);
    return object.success ? flat(object.data, `${prefix}${key}.`) : [[`${prefix}${key}`, inner]];
  });
