/** `measure` and `experiment`. */
import { type Command, InvalidArgumentError } from "commander";
import { z } from "zod";
import { resolveScale } from "../../adapters/index.js";
import type { Control } from "../../catalogue/index.js";
import { RequestError } from "../../errors.js";
import { PAPER } from "../../experiments/index.js";
import { lookupFields, machineFields, modelFields, readAdapterReference } from "../../open/index.js";
import { option } from "../../schema/index.js";
import { addFields, fieldsOf } from "../fields.js";
import { interrupted } from "../interrupt.js";
import { openTerminal } from "../terminal.js";
import { example, type Given, outputOf, resumeFields, talkOf, withOutput } from "./common.js";

const text = z.string().min(1);
const wholeNumber = (least: number, most?: number) => {
  const from = z.int().min(least);
  return most === undefined ? from : from.max(most);
};

const measureFields = {
  reference: option(text, {
    flag: "--reference <dir>",
    about: "images to compare with: precision, recall, density, coverage; FID and KID",
  }),
  prompts: option(text, {
    flag: "--prompts <file>",
    about: "a .csv, .json or .txt that says which image belongs to which prompt",
  }),
  clip: option(text, { flag: "--clip <ref>", about: "a CLIPModel folder (default: the embedded one)" }),
  dino: option(text, {
    flag: "--dino <ref>",
    about: "a ViTModel or Dinov2Model folder, or a file of DINO's own weights",
  }),
  dreamsim: option(text, {
    flag: "--dreamsim <ref>",
    about: "DreamSim: the folder of its release, or merged weights",
  }),
  lpips: option(text, {
    flag: "--lpips <trunk,heads>",
    about: "LPIPS: torchvision's AlexNet or VGG-16 and the package's alex.pth or vgg.pth",
  }),
  inception: option(text, {
    flag: "--inception <file>",
    about: "pt_inception-2015-12-05, the Inception-v3 of FID",
  }),
  attributes: option(text, {
    flag: "--attributes <file>",
    about: "attributes of the images' world, for semantic diversity",
  }),
  neighbours: option(wholeNumber(1), {
    flag: "--neighbours <k>",
    about: "neighbours of precision, recall, density and coverage (default: 5)",
  }),
  skipBad: option(z.boolean(), {
    flag: "--skip-bad",
    about: "leave out images that cannot be read or have another size",
  }),
  ...lookupFields,
} as const;

const { pair, pairs, base, distilled, compute } = modelFields;
const experimentFields = {
  prompts: option(text, {
    flag: "--prompts <file>",
    about: "a .csv such as coco_30k.csv (prompt, evaluation_seed) or a .txt (default: the pair's own)",
  }),
  images: option(wholeNumber(2), {
    flag: "--images <n>",
    about: "images of every row (default: 128 to 2048, see docs/results.md)",
  }),
  reference: option(text, {
    flag: "--reference <ref>",
    about: "real images, a folder, for FID, precision and recall (default: the pair's own)",
  }),
  clip: option(text, { flag: "--clip <ref>", about: "a CLIPModel folder that measures (default: the pair's own)" }),
  dreamsim: option(text, { flag: "--dreamsim <ref>", about: "DreamSim, for its distance" }),
  inception: option(text, {
    flag: "--inception <file>",
    about: "pt_inception-2015-12-05, for FID and the Inception score",
  }),
  workers: option(wholeNumber(1, 64), {
    flag: "--workers <n>",
    about: "processes that generate at the same time; times are taken with one only (default: 1)",
  }),
  dryRun: option(z.boolean(), {
    flag: "--dry-run",
    about: "print how many images and calls it would be, and how long",
  }),
} as const;
const experimentModels = { ...lookupFields, pair, pairs, base, distilled, compute } as const;

/** "FILE:2=an old person" → an adapter, its scale (1 where none is given), and its concept. */
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
    `"${value}" is not an adapter with one scale and its concept, such as "age.safetensors:2=an old person".`,
  );
}

export function addMeasureCommands(program: Command): void {
  withOutput(addFields(addFields(program.command("measure"), measureFields), machineFields))
    .description("diversity, adherence and fidelity of folders of images, whoever made them")
    .argument("<folders...>", "folders of images; several are set side by side")
    .addHelpText("before", example("variegate measure out/crowns --reference out/base"))
    .action(async (folders: string[], given: Given) => {
      const { runMeasure } = await import("../measure.js");
      const request = { folders, ...fieldsOf(measureFields, given) };
      const machine = fieldsOf(machineFields, given);
      await runMeasure(openTerminal(talkOf(given)), request, machine, outputOf(given), interrupted);
    });

  const command = addFields(addFields(program.command("experiment"), experimentModels), machineFields);
  withOutput(addFields(addFields(command, experimentFields), resumeFields))
    .description("tables and figures of the paper on your models, or an experiment of your own")
    .argument("<name>", `${PAPER.join(", ")}, all, or run`)
    .argument("[file]", "with run: a .json file that says what to generate and to measure")
    .option(
      "--slider <file:scale=concept>",
      "table1: an adapter and its concept (repeatable)",
      (value: string, all: readonly Control[] = []): readonly Control[] => [...all, readControl(value)],
    )
    .addHelpText(
      "before",
      example("variegate experiment table3 --images 128", "variegate experiment all --images 64 --workers 2"),
    )
    .action(async (name: string, file: string | undefined, given: Given & { slider?: readonly Control[] }) => {
      const { runExperiment } = await import("../experiment.js");
      const { prompts, images, dryRun, ...tools } = fieldsOf(experimentFields, given);
      const { memoryBudget: _, ...machine } = fieldsOf(machineFields, given);
      const models = { ...fieldsOf(experimentModels, given), ...machine, ...tools };
      const options = {
        ...outputOf(given),
        ...(prompts !== undefined && { prompts }),
        ...(images !== undefined && { images }),
        ...(dryRun && { dryRun }),
        ...(given.slider && { sliders: given.slider }),
      };
      await runExperiment(openTerminal(talkOf(given)), [name, file], models, options, interrupted);
    });
}
