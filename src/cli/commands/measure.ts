/** `measure` and `experiment`. */
import { type Command, InvalidArgumentError } from "commander";
import { z } from "zod";
import { resolveScale } from "../../adapters/fields.js";
import type { Control } from "../../catalogue/index.js";
import { RequestError } from "../../errors.js";
import { PAPER } from "../../experiments/fields.js";
import { lookupFields, machineFields, modelFields, readAdapterReference } from "../../open/fields.js";
import { grouped, option } from "../../schema/index.js";
import { addFields, fieldsOf } from "../fields.js";
import { interrupted } from "../interrupt.js";
import { openTerminal } from "../terminal.js";
import { attributeFields } from "./attributes.js";
import { type Given, outputFormatOf, outputOf, resumeFields, withExamples, withOutputAndTables } from "./common.js";
import { fleetFields } from "./fleet.js";

const text = z.string().min(1);
const integer = (least: number, most?: number) => {
  const from = z.int().min(least);
  return most === undefined ? from : from.max(most);
};

const { pair, pairs, base, distilled, compute } = modelFields;

const measureFields = grouped("task", {
  reference: option(text, {
    flag: "--reference <dir>",
    about: "reference images, for precision, recall, density, coverage, FID and KID",
  }),
  prompts: option(text, {
    flag: "--prompts <file>",
    about: ".csv, .json or .txt file with the prompt of each image",
  }),
  clip: option(text, { flag: "--clip <ref>", about: "CLIPModel folder (default: the embedded one)" }),
  dino: option(text, {
    flag: "--dino <ref>",
    about: "DINO: a ViTModel or Dinov2Model folder, or a weight file of the original release",
  }),
  dreamsim: option(text, {
    flag: "--dreamsim <ref>",
    about: "DreamSim: the folder of its release, or a file with merged weights",
  }),
  lpips: option(text, {
    flag: "--lpips <trunk,heads>",
    about: "LPIPS: torchvision's AlexNet or VGG-16, and alex.pth or vgg.pth of the package lpips",
  }),
  inception: option(text, {
    flag: "--inception <file>",
    about: "Inception-v3 of FID (pt_inception-2015-12-05)",
  }),
  baseImages: option(text, {
    flag: "--base-images <dir>",
    about: "the base model's images of the same prompts: measures are also given as a share of theirs",
  }),
  ...attributeFields,
  neighbours: option(integer(1), {
    flag: "--neighbours <k>",
    about: "number of neighbours for precision, recall, density and coverage (default: 5)",
  }),
  skipBad: option(z.boolean(), {
    flag: "--skip-bad",
    about: "skip images that cannot be read or differ in size",
  }),
  compute: option(z.enum(["float32", "bfloat16"]), {
    flag: "--compute <type>",
    group: "machine",
    about: "compute type of the networks that read images: bfloat16 on OpenVINO (default: float32)",
  }),
  ...lookupFields,
} as const);
/** Models of the images, for the self-check of attributes. */
const measureModels = { pair, pairs, base, distilled } as const;

const experimentFields = {
  ...grouped("task", {
    prompts: option(text, {
      flag: "--prompts <file>",
      about: ".csv such as coco_30k.csv (prompt, evaluation_seed), or .txt (default: the pair's prompts)",
    }),
    images: option(integer(2), {
      flag: "--images <n>",
      about: "number of images for each row (default: 128 to 2048, see docs/results.md)",
    }),
    reference: option(text, {
      flag: "--reference <ref>",
      about: "folder of real images, for FID, precision and recall (default: the pair's)",
    }),
    clip: option(text, { flag: "--clip <ref>", about: "CLIPModel folder for the measures (default: the pair's)" }),
    dreamsim: option(text, { flag: "--dreamsim <ref>", about: "DreamSim, for the DreamSim distance" }),
    inception: option(text, {
      flag: "--inception <file>",
      about: "Inception-v3 (pt_inception-2015-12-05), for FID and the Inception score",
    }),
    workers: option(integer(1, 64), {
      flag: "--workers <n>",
      about: "number of processes that generate in parallel; times are measured with 1 only (default: 1)",
    }),
    saveImages: option(z.boolean(), {
      flag: "--save-images",
      about: "keep every image, as images/CELL/N.png (default: a few thumbnails for the report)",
    }),
    dryRun: option(z.boolean(), {
      flag: "--dry-run",
      about: "print the number of images and model calls, and the estimated time",
    }),
  } as const),
  ...attributeFields,
};
const experimentModels = { ...lookupFields, pair, pairs, base, distilled, compute } as const;

/** "FILE:2=an old person" → adapter, scale (default 1) and concept. */
function readControl(value: string): Control {
  const [, file = "", concept = ""] = /^([^=]+)=(.+)$/.exec(value) ?? [];
  try {
    const { ref, scale = 1 } = readAdapterReference(file);
    const { whole, rows } = resolveScale(scale);
    if (ref !== "" && concept.trim() !== "" && rows.length === 0) {
      return { name: ref.replace(/^.*[\\/:]/, "").replace(/\.\w+$/, ""), ref, scale: whole, concept };
    }
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
  }
  throw new InvalidArgumentError(
    'Expected an adapter with one scale and its concept, such as "age.safetensors:2=an old person".',
  );
}

export function addMeasure(program: Command): void {
  const command = withOutputAndTables(
    addFields(addFields(addFields(program, measureFields), measureModels), machineFields),
  );
  withExamples(
    command.argument("<folders...>", "folders of images; several are compared side by side"),
    'variegate generate "a cartoon character" --seeds 0-15 --out characters',
    "variegate measure characters",
  ).action(async (folders: string[], given: Given) => {
    const { runMeasure } = await import("../measure.js");
    const request = { folders, ...fieldsOf(measureFields, given), ...fieldsOf(measureModels, given) };
    const machine = fieldsOf(machineFields, given);
    await runMeasure(openTerminal(outputFormatOf(given)), request, machine, outputOf(given), interrupted);
  });
}

export function addExperiment(command: Command): void {
  addFields(addFields(addFields(command, experimentModels), machineFields), fleetFields);
  withExamples(
    withOutputAndTables(addFields(addFields(command, experimentFields), resumeFields)),
    "variegate experiment table3 --dry-run",
    "variegate experiment table3 --images 32",
  )
    .argument("<name>", `${PAPER.join(", ")}, all, front, or run; with --queue also status, retry or cancel`)
    .argument(
      "[file]",
      "with run: JSON file with the definition of an experiment; with status, retry, cancel: its name",
    )
    .option(
      "--slider <file:scale=concept>",
      "table1: adapter, scale and concept (repeatable)",
      (value: string, all: readonly Control[] = []): readonly Control[] => [...all, readControl(value)],
    )
    .action(async (name: string, file: string | undefined, given: Given & { slider?: readonly Control[] }) => {
      const { runExperiment } = await import("../experiment.js");
      const { prompts, images, dryRun, ...tools } = fieldsOf(experimentFields, given);
      const { memoryBudget: _, upcast: _upcast, ...machine } = fieldsOf(machineFields, given);
      const models = { ...fieldsOf(experimentModels, given), ...machine, ...tools };
      const options = {
        ...outputOf(given),
        ...(outputFormatOf(given).quiet && { quiet: true }),
        fleet: fieldsOf(fleetFields, given),
        ...(prompts !== undefined && { prompts }),
        ...(images !== undefined && { images }),
        ...(dryRun && { dryRun }),
        ...(given.slider && { sliders: given.slider }),
      };
      await runExperiment(openTerminal(outputFormatOf(given)), [name, file], models, options, interrupted);
    });
}

const calibrateFields = grouped("task", {
  prompts: option(text, {
    flag: "--prompts <file>",
    about: ".csv with a column prompt, or .txt with one a line (default: the pair's prompts)",
  }),
  count: option(integer(5, 1000), { flag: "--count <n>", about: "number of prompts (default: 16)" }),
  seeds: option(integer(2, 64), { flag: "--seeds <n>", about: "number of seeds of each prompt (default: 16)" }),
  methods: option(z.enum(["handoffs", "all"]), {
    flag: "--methods <which>",
    about: "compare hand-offs and store the best, or all diversity methods and print a command (default: handoffs)",
  }),
  budget: option(z.number().positive(), {
    flag: "--budget <x>",
    about: "most model calls, as a multiple of the distilled model's (default: 1)",
  }),
  clip: option(text, { flag: "--clip <ref>", about: "CLIPModel folder for the measures (default: the pair's)" }),
  workers: option(integer(1, 64), {
    flag: "--workers <n>",
    about: "number of processes that generate in parallel (default: 1)",
  }),
  dryRun: option(z.boolean(), { flag: "--dry-run", about: "print the cost, and generate nothing" }),
  forget: option(z.boolean(), { flag: "--forget", about: "remove the calibration of the pair" }),
} as const);

export function addCalibrate(command: Command): void {
  addFields(addFields(command, experimentModels), machineFields);
  withExamples(
    withOutputAndTables(addFields(addFields(command, calibrateFields), resumeFields)),
    "variegate calibrate",
    "variegate calibrate --methods all --budget 1.1",
  ).action(async (given: Given) => {
    const { runCalibrate } = await import("../calibrate.js");
    const { clip, workers, count = 16, seeds = 16, ...task } = fieldsOf(calibrateFields, given);
    const { memoryBudget: _, upcast: _upcast, ...machine } = fieldsOf(machineFields, given);
    const tools = { ...(clip !== undefined && { clip }), ...(workers !== undefined && { workers }) };
    const models = { ...fieldsOf(experimentModels, given), ...machine, ...tools };
    await runCalibrate(
      openTerminal(outputFormatOf(given)),
      models,
      { ...outputOf(given), ...task, count, seeds },
      interrupted,
    );
  });
}
