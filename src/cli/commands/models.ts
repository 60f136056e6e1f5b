/** `models` and `doctor`: commands that look at models and the machine. */
import type { Command } from "commander";
import { z } from "zod";
import { lookupFields, modelFields } from "../../open/index.js";
import { option } from "../../schema/index.js";
import { addFields, fieldsOf } from "../fields.js";
import { openTerminal } from "../terminal.js";
import { example, type Given, modelsOf, talkOf, withModels, withTalk } from "./common.js";

const { variant, modelFolders } = lookupFields;
const { pair, pairs } = modelFields;
const folderFields = { modelFolders } as const;
const listFields = {
  pairs,
  cached: option(z.boolean(), {
    flag: "--cached",
    about: "the Hub's cache on this machine: repositories, revisions, sizes, last use",
  }),
} as const;
const checkFields = {
  adapters: option(z.array(z.string()), {
    flag: "--lora <file>",
    about: "an adapter: does it fit this model? (repeatable)",
    repeatable: true,
    read: (file) => file,
  }),
  base: option(z.string(), { flag: "--base <ref>", about: "a model: does this adapter fit it?" }),
} as const;
const pullFields = {
  pair,
  pairs,
  variant,
  dryRun: option(z.boolean(), { flag: "--dry-run", about: "print the download plan only" }),
} as const;
const removeFields = {
  dryRun: option(z.boolean(), { flag: "--dry-run", about: "print the freed size only" }),
} as const;

export function addModelCommands(program: Command): void {
  const models = program.command("models").description("models on this machine and whether they can be used");

  withTalk(addFields(addFields(models.command("list"), folderFields), listFields))
    .description(
      "the named pairs that --pair takes; or the models in ComfyUI's and A1111's folders, or in the Hub's cache",
    )
    .addHelpText(
      "before",
      example("variegate models list", "variegate models list --cached", "variegate models list --comfy ~/ComfyUI"),
    )
    .action(async (given: Given, command: Command) => {
      // Folders in the environment serve every command; they are listed only when the command line names one.
      const asked = ["comfy", "a1111"].some((name) => command.getOptionValueSource(name) === "cli");
      const { modelFolders } = asked ? fieldsOf(folderFields, given) : {};
      const { cached, pairs } = fieldsOf(listFields, given);
      const terminal = openTerminal(talkOf(given));
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

  withTalk(addFields(addFields(models.command("check"), folderFields), checkFields))
    .description("what a model or adapter is and what tells, what is missing, what fits it; nothing is loaded")
    .argument(
      "<ref>",
      "a diffusers folder, one network's folder, a file of weights, an adapter, a Hub id, a name in --comfy",
    )
    .addHelpText(
      "before",
      example("variegate models check embedded:base", "variegate models check smile.base --base embedded:base"),
    )
    .action(async (ref: string, given: Given) => {
      const { runCheck } = await import("../check.js");
      const request = { ...fieldsOf(folderFields, given), ...fieldsOf(checkFields, given) };
      await runCheck(openTerminal(talkOf(given)), ref, request);
    });

  withTalk(addFields(models.command("pull"), pullFields))
    .description("fetches a model from the Hub, only what is needed of it, and lists that first")
    .argument("[ref]", "owner/name, owner/name@revision, owner/name:folder, or owner/name/file.safetensors")
    .addHelpText(
      "before",
      example("variegate models pull --pair sdxl-dmd2 --dry-run", "variegate models pull madebyollin/taesdxl"),
    )
    .action(async (ref: string | undefined, given: Given) => {
      const { runPull } = await import("../hub.js");
      await runPull(openTerminal(talkOf(given)), ref, fieldsOf(pullFields, given));
    });

  withTalk(addFields(models.command("remove"), removeFields))
    .description("takes a model out of the Hub's cache, or one revision of it; files that another revision shares stay")
    .argument("<ref>", "owner/name or owner/name@revision")
    .addHelpText("before", example("variegate models remove madebyollin/taesdxl --dry-run"))
    .action(async (ref: string, given: Given) => {
      const { runRemove } = await import("../hub.js");
      await runRemove(openTerminal(talkOf(given)), ref, fieldsOf(removeFields, given).dryRun === true);
    });

  withTalk(withModels(program.command("doctor")))
    .description("what this machine can run, and why not")
    .addHelpText("before", example("variegate doctor --pair sdxl-dmd2"))
    .action(async (given: Given) => {
      const { runDoctor } = await import("../inspect.js");
      await runDoctor(openTerminal(talkOf(given)), modelsOf(given));
    });
}
