/** `compare`, `generate` and `plan`: commands that take a generate request. */
import type { Command } from "commander";
import { z } from "zod";
import { requestFields } from "../../generate/index.js";
import { option } from "../../schema/index.js";
import { addFields, fieldsOf } from "../fields.js";
import { interrupted } from "../interrupt.js";
import { openTerminal } from "../terminal.js";
import {
  allModesFields,
  COMPARE_SEEDS,
  example,
  type Given,
  modelsOf,
  outputFormatOf,
  outputOf,
  resumeFields,
  withModels,
  withOutput,
  withOutputAndTables,
  withTables,
} from "./common.js";

const compareFields = {
  clip: option(z.string(), {
    flag: "--clip <ref>",
    about: "CLIPModel folder for the measures (default: the pair's)",
  }),
} as const;

const generateFields = {
  saveLatents: option(z.boolean(), {
    flag: "--save-latents",
    about: "write x_t and x0 of every step as a .safetensors file for each image",
  }),
} as const;

const planFields = {
  as: option(z.enum(["table", "diffusers"]), {
    flag: "--as <form>",
    about: "table, or an equivalent Python script for diffusers (default: table)",
  }),
} as const;

export function addGenerateCommands(program: Command): void {
  withOutputAndTables(addFields(addFields(withModels(program.command("compare")), allModesFields), compareFields))
    .description("generates with base, distilled and hybrid: contact sheet, diversity, prompt adherence, time")
    .argument("[prompts...]", "prompts (default: the pair's)")
    .addHelpText("before", example('variegate compare "a cartoon character with one eye" --seeds 0-7'))
    .action(async (prompts: string[], given: Given) => {
      const { runCompare } = await import("../compare.js");
      const models = { ...modelsOf(given), ...fieldsOf(compareFields, given) };
      const request = { prompts, seeds: COMPARE_SEEDS, ...fieldsOf(allModesFields, given) };
      await runCompare(openTerminal(outputFormatOf(given)), models, request, outputOf(given), interrupted);
    });

  const generate = addFields(withModels(program.command("generate")), requestFields);
  withOutput(addFields(addFields(generate, generateFields), resumeFields))
    .description("generates an image for each prompt and seed")
    .argument("<prompts...>", "prompts")
    .addHelpText("before", example('variegate generate "a cartoon character wearing a crown" --seeds 0-3 --out crowns'))
    .action(async (prompts: string[], given: Given) => {
      const { runGenerate } = await import("../generate.js");
      const options = { ...outputOf(given), ...fieldsOf(generateFields, given) };
      const request = { prompts, ...fieldsOf(requestFields, given) };
      await runGenerate(openTerminal(outputFormatOf(given)), modelsOf(given), request, options, interrupted);
    });

  withTables(addFields(addFields(withModels(program.command("plan")), requestFields), planFields))
    .description("prints the rows of the plan that generate would run, without loading a model")
    .argument("[prompts...]", "prompts of the script with --as diffusers (default: the pair's)")
    .addHelpText(
      "before",
      example("variegate plan --mode hybrid --switch 1", "variegate plan --pair sdxl-dmd2 --as diffusers > hybrid.py"),
    )
    .action(async (prompts: string[], given: Given) => {
      const { runPlan } = await import("../inspect.js");
      const { as = "table" } = fieldsOf(planFields, given);
      const request = { prompts, ...fieldsOf(requestFields, given) };
      await runPlan(openTerminal(outputFormatOf(given)), modelsOf(given), request, as);
    });
}
