/** `compare`, `generate` and `plan`: commands that take a request to generate images. */
import type { Command } from "commander";
import { z } from "zod";
import { requestFields } from "../../generate/index.js";
import { option } from "../../schema/index.js";
import { addFields, fieldsOf } from "../fields.js";
import { interrupted } from "../interrupt.js";
import { openTerminal } from "../terminal.js";
import {
  allModesFields,
  example,
  type Given,
  modelsOf,
  outputOf,
  resumeFields,
  talkOf,
  withModels,
  withOutput,
  withTalk,
} from "./common.js";

const compareFields = {
  clip: option(z.string(), {
    flag: "--clip <ref>",
    about: "a CLIPModel folder that measures the images (default: the pair's own)",
  }),
} as const;

const generateFields = {
  saveLatents: option(z.boolean(), {
    flag: "--save-latents",
    about: "x_t and x0 of every step beside each image",
  }),
} as const;

const planFields = {
  as: option(z.enum(["table", "diffusers"]), {
    flag: "--as <form>",
    about: "a table, or a Python script that does the same with diffusers (default: table)",
  }),
} as const;

export function addGenerateCommands(program: Command): void {
  withOutput(addFields(addFields(withModels(program.command("compare")), allModesFields), compareFields))
    .description("base, distilled and hybrid side by side: contact sheet, diversity, adherence, time")
    .argument("[prompts...]", "prompts (default: the pair's own)")
    .addHelpText("before", example('variegate compare "a cartoon character with one eye" --seeds 0-7'))
    .action(async (prompts: string[], given: Given) => {
      const { runCompare } = await import("../compare.js");
      const models = { ...modelsOf(given), ...fieldsOf(compareFields, given) };
      const request = { prompts, ...fieldsOf(allModesFields, given) };
      await runCompare(openTerminal(talkOf(given)), models, request, outputOf(given), interrupted);
    });

  const generate = addFields(withModels(program.command("generate")), requestFields);
  withOutput(addFields(addFields(generate, generateFields), resumeFields))
    .description("images")
    .argument("<prompts...>", "prompts")
    .addHelpText("before", example('variegate generate "a cartoon character wearing a crown" --seeds 0-3 --out crowns'))
    .action(async (prompts: string[], given: Given) => {
      const { runGenerate } = await import("../generate.js");
      const options = { ...outputOf(given), ...fieldsOf(generateFields, given) };
      const request = { prompts, ...fieldsOf(requestFields, given) };
      await runGenerate(openTerminal(talkOf(given)), modelsOf(given), request, options, interrupted);
    });

  withTalk(addFields(addFields(withModels(program.command("plan")), requestFields), planFields))
    .description("prints the rows that generate would run, without loading a model")
    .argument("[prompts...]", "prompts in the script of --as diffusers (default: the pair's own)")
    .addHelpText(
      "before",
      example("variegate plan --mode hybrid --switch 1", "variegate plan --pair sdxl-dmd2 --as diffusers > varied.py"),
    )
    .action(async (prompts: string[], given: Given) => {
      const { runPlan } = await import("../inspect.js");
      const { as = "table" } = fieldsOf(planFields, given);
      const request = { prompts, ...fieldsOf(requestFields, given) };
      await runPlan(openTerminal(talkOf(given)), modelsOf(given), request, as);
    });
}
