/** `models list`, `check`, `pull` and `remove`, and `doctor`. */
import type { Command } from "commander";
import { z } from "zod";
import { lookupFields, modelFields } from "../../open/fields.js";
import { grouped, option } from "../../schema/index.js";
import { addFields, fieldsOf } from "../fields.js";
import { openTerminal } from "../terminal.js";
import {
  type Given,
  modelsOf,
  outputFormatOf,
  withBareModels,
  withExamples,
  withOutputFormat,
  withTables,
} from "./common.js";

const { variant, modelFolders } = lookupFields;
const { pair, pairs } = modelFields;
const folderFields = { modelFolders } as const;
const listFields = grouped("task", {
  pairs,
  cached: option(z.boolean(), {
    flag: "--cached",
    about: "list the local Hub cache: repositories, revisions, sizes, last use",
  }),
} as const);
const checkFields = grouped("task", {
  adapters: option(z.array(z.string()), {
    flag: "--lora <file>",
    about: "adapter to check against this model (repeatable)",
    repeatable: true,
    read: (file) => file,
  }),
  base: option(z.string(), { flag: "--base <ref>", about: "model to check this adapter against" }),
} as const);
const pullFields = grouped("task", {
  pair,
  pairs,
  variant,
  dryRun: option(z.boolean(), { flag: "--dry-run", about: "print the download plan only" }),
} as const);
const removeFields = grouped("task", {
  dryRun: option(z.boolean(), { flag: "--dry-run", about: "print the freed size only" }),
} as const);

export function addModels(models: Command): void {
  withExamples(models, "variegate models list", "variegate models check embedded:base");

  const list = withTables(addFields(addFields(models.command("list"), folderFields), listFields));
  withExamples(list, "variegate models list", "variegate models list --cached")
    .description("lists the named pairs for --pair, the models in ComfyUI's or A1111's folders, or the Hub cache")
    .action(async (given: Given, command: Command) => {
      // Folders in the environment serve every command; they are listed only when the command line names one.
      const asked = ["comfy", "a1111"].some((name) => command.getOptionValueSource(name) === "cli");
      const { modelFolders } = asked ? fieldsOf(folderFields, given) : {};
      const { cached, pairs } = fieldsOf(listFields, given);
      const terminal = openTerminal(outputFormatOf(given));
      if (cached) {
        const { runCached } = await import("../hub.js");
        await runCached(terminal);
      } else if (modelFolders) {
        const { runModelFolders } = await import("../model-folders.js");
        await runModelFolders(terminal, modelFolders);
      } else {
        const { runList } = await import("../inspect.js");
        await runList(terminal, pairs);
      }
    });

  const check = withTables(addFields(addFields(models.command("check"), folderFields), checkFields));
  withExamples(
    check,
    "variegate models check embedded:base",
    "variegate models check embedded:sliders/smile.base.safetensors --base embedded:base",
  )
    .description("prints the architecture of a model or adapter, its missing parts, and what fits it; loads no network")
    .argument("<ref>", "diffusers folder, folder of one network, weight file, adapter, Hub id, or a name in --comfy")
    .action(async (ref: string, given: Given) => {
      const { runCheck } = await import("../check.js");
      const request = { ...fieldsOf(folderFields, given), ...fieldsOf(checkFields, given) };
      await runCheck(openTerminal(outputFormatOf(given)), ref, request);
    });

  withExamples(
    withTables(addFields(models.command("pull"), pullFields)),
    "variegate models pull --pair sdxl-dmd2 --dry-run",
    "variegate models pull madebyollin/taesdxl",
  )
    .description("downloads the needed files of a model from the Hub, and lists them first")
    .argument("[ref]", "owner/name, owner/name@revision, owner/name:folder, or owner/name/file.safetensors")
    .action(async (ref: string | undefined, given: Given) => {
      const { runPull } = await import("../hub.js");
      await runPull(openTerminal(outputFormatOf(given)), ref, fieldsOf(pullFields, given));
    });

  withExamples(
    withOutputFormat(addFields(models.command("remove"), removeFields)),
    "variegate models pull madebyollin/taesdxl",
    "variegate models remove madebyollin/taesdxl --dry-run",
  )
    .description("removes a model, or one revision of it, from the Hub cache; files of other revisions are kept")
    .argument("<ref>", "owner/name or owner/name@revision")
    .action(async (ref: string, given: Given) => {
      const { runRemove } = await import("../hub.js");
      await runRemove(openTerminal(outputFormatOf(given)), ref, fieldsOf(removeFields, given).dryRun === true);
    });
}

export function addDoctor(command: Command): void {
  withExamples(withTables(withBareModels(command)), "variegate doctor", "variegate doctor --pair sdxl-dmd2").action(
    async (given: Given) => {
      const { runDoctor } = await import("../inspect.js");
      await runDoctor(openTerminal(outputFormatOf(given)), modelsOf(given));
    },
  );
}
