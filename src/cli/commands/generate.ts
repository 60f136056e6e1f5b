/** `compare`, `generate` and `plan`: commands that take a generate request. */
import type { Command } from "commander";
import { z } from "zod";
import { RequestError } from "../../errors.js";
import { requestFields } from "../../generate/fields.js";
import { grouped, option } from "../../schema/index.js";
import { addFields, fieldsOf } from "../fields.js";
import { interrupted } from "../interrupt.js";
import { seedFields } from "../seeds.js";
import { openTerminal } from "../terminal.js";
import { attributeFields } from "./attributes.js";
import {
  allModesFields,
  COMPARE_SEEDS,
  type Given,
  modelsOf,
  outputFormatOf,
  outputOf,
  requestOf,
  resumeFields,
  withExamples,
  withModels,
  withOutput,
  withOutputAndTables,
  withTables,
} from "./common.js";

const compareFields = {
  ...grouped("task", {
    clip: option(z.string(), {
      flag: "--clip <ref>",
      about: "CLIPModel for the measures, or none for pixels (default: the pair's, else a small one from the Hub)",
    }),
  } as const),
  ...attributeFields,
};

const generateFields = grouped("output", {
  clip: option(z.string(), {
    flag: "--clip <ref>",
    group: "models",
    about: "CLIPModel that judges how well an image fits its prompt, for --choose (default: the pair's)",
  }),
  saveLatents: option(z.boolean(), {
    flag: "--save-latents",
    about: "write x_t and x0 of every step as a .safetensors file for each image",
  }),
  from: option(z.string().min(1), {
    flag: "--from <file>",
    about: "make the images of a run.json or a PNG again; options beside it override the recorded ones",
  }),
  allowChanged: option(z.boolean(), {
    flag: "--allow-changed",
    about: "with --from: go on where a model file is not the recorded one",
  }),
} as const);

/** Forms of a plan by name, "comfy" too. @throws RequestError for A1111 */
function readForm(text: string): string {
  if (/^(a1111|automatic1111|webui|forge)$/i.test(text)) {
    throw new RequestError(`--as ${text} is not supported; use --as comfyui or --as diffusers`);
  }
  return text === "comfy" ? "comfyui" : text;
}

const planFields = grouped("output", {
  as: option(z.enum(["table", "diffusers", "comfyui"]), {
    flag: "--as <form>",
    about: "table, a Python script for diffusers, or a workflow for ComfyUI (default: table)",
    read: readForm,
  }),
} as const);

export function addCompare(command: Command): void {
  addFields(addFields(withModels(command), { ...allModesFields, ...seedFields }), {
    ...compareFields,
    ...resumeFields,
  });
  withExamples(
    withOutputAndTables(command).argument("[prompts...]", "prompts (default: the pair's)"),
    "variegate compare",
    'variegate compare "a cartoon character with one eye" --seeds 0-3',
  ).action(async (prompts: string[], given: Given) => {
    const { runCompare } = await import("../compare.js");
    const terminal = openTerminal(outputFormatOf(given));
    const { clip, ...attributes } = fieldsOf(compareFields, given);
    const models = { ...modelsOf(given), ...(clip !== undefined && { clip }) };
    const usual = given["choose"] === undefined ? COMPARE_SEEDS : undefined;
    const request = { prompts, ...requestOf(terminal, allModesFields, given, usual) };
    await runCompare(terminal, models, request, { ...outputOf(given), ...attributes }, interrupted);
  });
}

export function addGenerate(command: Command): void {
  addFields(addFields(withModels(command), { ...requestFields, ...seedFields }), generateFields);
  withExamples(
    withOutput(addFields(command, resumeFields)).argument("[prompts...]", "prompts (with --from: the recorded ones)"),
    'variegate generate "a cartoon character wearing a crown"',
    'variegate generate "a cartoon character" -n 4 --mode distilled -o four',
  ).action(async (prompts: string[], given: Given) => {
    const { runGenerate } = await import("../generate.js");
    const terminal = openTerminal(outputFormatOf(given));
    const { clip, ...own } = fieldsOf(generateFields, given);
    const options = { ...outputOf(given), ...own };
    const models = { ...modelsOf(given), ...(clip !== undefined && { clip }) };
    const request = { prompts, ...requestOf(terminal, requestFields, given) };
    await runGenerate(terminal, models, request, options, interrupted);
  });
}

export function addPlan(command: Command): void {
  addFields(addFields(withModels(command), requestFields), planFields);
  withExamples(
    withTables(command).argument("[prompts...]", "prompts of the script or workflow with --as (default: the pair's)"),
    "variegate plan --mode hybrid --switch 2",
    "variegate plan --pair sdxl-dmd2 --as comfyui > hybrid.json",
  ).action(async (prompts: string[], given: Given) => {
    const { runPlan } = await import("../inspect.js");
    const { as = "table" } = fieldsOf(planFields, given);
    const request = { prompts, ...fieldsOf(requestFields, given) };
    await runPlan(openTerminal(outputFormatOf(given)), modelsOf(given), request, as);
  });
}
