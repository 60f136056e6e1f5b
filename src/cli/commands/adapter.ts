/** `adapter`: commands on LoRAs and sliders. */
import type { Command } from "commander";
import { z } from "zod";
import { DIALECTS, LARGEST_RANK } from "../../adapters/index.js";
import { lookupFields, machineFields } from "../../open/index.js";
import { option, required } from "../../schema/index.js";
import { addFields, fieldsOf } from "../fields.js";
import { interrupted } from "../interrupt.js";
import { openTerminal } from "../terminal.js";
import { example, type Given, modelsOf, talkOf, withModels, withTalk } from "./common.js";

interface Convert extends Given {
  readonly to: (typeof DIALECTS)[number];
  readonly out: string;
}

const text = z.string().min(1);
const extractFields = {
  from: required(text, { flag: "--from <ref>", about: "the model before: a diffusers folder or a UNet folder" }),
  to: required(text, { flag: "--to <ref>", about: "the model after: a folder, or a file of UNet weights" }),
  rank: option(z.int().min(1).max(LARGEST_RANK), {
    flag: "--rank <r>",
    about: `rank of each layer, 1 to ${LARGEST_RANK} (default: 64)`,
  }),
  energy: option(z.number().min(0).max(1), {
    flag: "--energy <share>",
    about: "the rank that holds this share of a layer's difference, such as 0.95",
  }),
  exact: option(z.boolean(), {
    flag: "--exact",
    about: "the whole difference, biases and norms too; as large as the model",
  }),
  biases: option(z.boolean(), {
    flag: "--biases",
    about: "biases and norms too, as they are (Variegate and ComfyUI read them, diffusers does not)",
  }),
  dialect: option(z.enum(DIALECTS), { flag: "--dialect <dialect>", about: "names of the keys (default: kohya)" }),
} as const;

export function addAdapterCommands(program: Command): void {
  const adapters = program
    .command("adapter")
    .description("LoRAs and sliders: what they are, other dialects, merged models");

  withTalk(withModels(adapters.command("inspect")))
    .description("what an adapter is, and what it changes in a model")
    .argument("<file>", "a LoRA, slider, LoHa, LoKr, DoRA … in any dialect")
    .addHelpText("before", example("variegate adapter inspect smile.base"))
    .action(async (file: string, given: Given) => {
      const { runInspect } = await import("../adapter.js");
      await runInspect(openTerminal(talkOf(given)), modelsOf(given), file);
    });

  withTalk(withModels(adapters.command("convert")))
    .description("the same adapter with the keys of diffusers (PEFT) or of kohya's trainer")
    .argument("<file>", "the adapter")
    .addOption(adapters.createOption("--to <dialect>", "names of the keys").choices(DIALECTS).makeOptionMandatory())
    .requiredOption("--out <file>", "the new .safetensors file")
    .addHelpText("before", example("variegate adapter convert smile.base --to peft --out smile-peft.safetensors"))
    .action(async (file: string, given: Convert) => {
      const { runConvert } = await import("../adapter.js");
      await runConvert(openTerminal(talkOf(given)), modelsOf(given), file, given.to, given.out);
    });

  withTalk(withModels(adapters.command("merge")))
    .description("a new diffusers folder whose weights hold the adapters of --lora; the old one stays as it is")
    .requiredOption("--out <dir>", "the new folder")
    .addHelpText("before", example("variegate adapter merge --base embedded:base --lora smile.base:1.5 --out smiling"))
    .action(async (given: Given & { readonly out: string }) => {
      const { runMerge } = await import("../adapter.js");
      const { adapters: merged = [], base = "embedded:base", modelFolders } = modelsOf(given);
      const searchPath = modelFolders ? { modelFolders } : {};
      await runMerge(openTerminal(talkOf(given)), base, merged, given.out, searchPath);
    });

  const { modelFolders } = lookupFields;
  withTalk(addFields(addFields(addFields(adapters.command("extract"), { modelFolders }), machineFields), extractFields))
    .description("the difference of two models as an adapter: then both run in one set of weights")
    .requiredOption("--out <file>", "the new .safetensors file")
    .addHelpText(
      "before",
      example(
        "variegate adapter extract --from embedded:base --to embedded:distilled --rank 32 --out distilled-lora.safetensors",
        'variegate compare "a cartoon character" --base embedded:base --distilled distilled-lora.safetensors --offload shared',
      ),
    )
    .action(async (given: Given & { readonly out: string }) => {
      const { runExtract } = await import("../adapter.js");
      await runExtract(
        openTerminal(talkOf(given)),
        fieldsOf(extractFields, given),
        given.out,
        { ...fieldsOf({ modelFolders }, given), ...fieldsOf(machineFields, given) },
        interrupted,
      );
    });
}
