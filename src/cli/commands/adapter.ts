/** `adapter inspect`, `convert`, `merge` and `extract`. */
import type { Command } from "commander";
import { z } from "zod";
import { DIALECTS, LARGEST_RANK } from "../../adapters/fields.js";
import { lookupFields, machineFields } from "../../open/fields.js";
import { grouped, option, required } from "../../schema/index.js";
import { addFields, fieldsOf } from "../fields.js";
import { interrupted } from "../interrupt.js";
import { openTerminal } from "../terminal.js";
import {
  type Given,
  modelsOf,
  OUT_ALIASES,
  outputFormatOf,
  withBase,
  withExamples,
  withMergedBase,
  withOutputFormat,
  withTables,
} from "./common.js";

interface Convert extends Given {
  readonly to: (typeof DIALECTS)[number];
  readonly out: string;
}

const text = z.string().min(1);
const extractFields = grouped("task", {
  from: required(text, { flag: "--from <ref>", about: "original model: a diffusers folder or a UNet folder" }),
  to: required(text, {
    flag: "--to <ref>",
    about: "changed model: a diffusers folder, a UNet folder, or a file of UNet weights",
  }),
  rank: option(z.int().min(1).max(LARGEST_RANK), {
    flag: "--rank <r>",
    about: `rank of each layer, 1 to ${LARGEST_RANK} (default: 64)`,
  }),
  energy: option(z.number().min(0).max(1), {
    flag: "--energy <share>",
    about: "share of each layer's squared difference to keep, such as 0.95; sets the rank by layer",
  }),
  exact: option(z.boolean(), {
    flag: "--exact",
    about: "keep the full difference with biases and norms; as large as the model",
  }),
  biases: option(z.boolean(), {
    flag: "--biases",
    about: "keep differences of biases and norms too (read by Variegate and ComfyUI, not by diffusers)",
  }),
  dialect: option(z.enum(DIALECTS), {
    flag: "--dialect <dialect>",
    about: "key names of the new file (default: kohya)",
  }),
} as const);

/** The option --out of a command that writes one file or folder. */
const outField = (value: "<file>" | "<dir>", about: string) =>
  grouped("output", {
    out: required(text, {
      flag: `-o, --out ${value}`,
      aliases: OUT_ALIASES,
      about,
      expected: value === "<file>" ? "the name of a file" : "the name of a folder",
    }),
  } as const);

export function addAdapter(adapters: Command): void {
  withExamples(
    adapters,
    "variegate adapter inspect smile.base",
    "variegate adapter convert smile.base --to peft --out smile-peft.safetensors",
  );

  withExamples(
    withTables(withBase(adapters.command("inspect"))),
    "variegate adapter inspect smile.base",
    "variegate adapter inspect smile.distilled --json",
  )
    .description("prints the kind, rank and layers of an adapter, and whether it fits the base")
    .argument("<file>", "LoRA, slider, LoHa, LoKr, DoRA … in any dialect")
    .action(async (file: string, given: Given) => {
      const { runInspect } = await import("../adapter.js");
      await runInspect(openTerminal(outputFormatOf(given)), modelsOf(given), file);
    });

  withExamples(
    withOutputFormat(addFields(withBase(adapters.command("convert")), outField("<file>", "new .safetensors file"))),
    "variegate adapter convert smile.base --to peft --out smile-peft.safetensors",
    "variegate adapter convert smile-peft.safetensors --to kohya --out smile-kohya.safetensors",
  )
    .description("rewrites an adapter with the keys of diffusers (PEFT) or of kohya's trainer")
    .argument("<file>", "adapter to convert")
    .addOption(
      adapters.createOption("--to <dialect>", "key names of the new file").choices(DIALECTS).makeOptionMandatory(),
    )
    .action(async (file: string, given: Convert) => {
      const { runConvert } = await import("../adapter.js");
      await runConvert(openTerminal(outputFormatOf(given)), modelsOf(given), file, given.to, given.out);
    });

  withExamples(
    withOutputFormat(addFields(withMergedBase(adapters.command("merge")), outField("<dir>", "new folder"))),
    "variegate adapter merge --base embedded:base --lora smile.base:1.5 --out smiling",
    'variegate generate "a cartoon character" --base smiling',
  )
    .description("writes a copy of the base, a diffusers folder, with the adapters of --lora merged into its weights")
    .action(async (given: Given & { readonly out: string }) => {
      const { runMerge } = await import("../adapter.js");
      await runMerge(openTerminal(outputFormatOf(given)), modelsOf(given), given.out);
    });

  const { modelFolders } = lookupFields;
  const extract = addFields(addFields(adapters.command("extract"), { modelFolders }), machineFields);
  withExamples(
    withTables(addFields(addFields(extract, extractFields), outField("<file>", "new .safetensors file"))),
    "variegate adapter extract --from embedded:base --to embedded:distilled --rank 32 --out distilled-lora.safetensors",
    'variegate compare "a cartoon character" --base embedded:base --distilled distilled-lora.safetensors --scheduler LCMScheduler --timesteps 999,749,499,249 --seeds 0-1',
  )
    .description("writes the difference of two models as an adapter, so that one set of weights serves both")
    .action(async (given: Given & { readonly out: string }) => {
      const { runExtract } = await import("../adapter.js");
      await runExtract(
        openTerminal(outputFormatOf(given)),
        fieldsOf(extractFields, given),
        given.out,
        { ...fieldsOf({ modelFolders }, given), ...fieldsOf(machineFields, given) },
        interrupted,
      );
    });
}
