/** `train`: adapters made on this machine. */
import type { Command } from "commander";
import { z } from "zod";
import { RequestError } from "../../errors.js";
import { type Fields, parseRequest } from "../../schema/index.js";
import { configFields, distillFields, loraFields, sliderFields, wordFields } from "../../train/fields.js";
import { addFields, fieldsOf } from "../fields.js";
import { interrupted } from "../interrupt.js";
import { openTerminal, type Terminal } from "../terminal.js";
import {
  type Given,
  modelsOf,
  outputFormatOf,
  outputOf,
  resumeFields,
  withExamples,
  withModels,
  withOutput,
} from "./common.js";

const SMILE =
  'variegate train slider --concept "a cartoon character" --positive "a smiling cartoon character" --negative "a sad cartoon character"';
const IMAGES = 'variegate generate "a red cartoon character with a hat" --seeds 0-7 --out pictures';

/** Options of a command: those of its config, and before them those of the command line. */
async function asked<F extends Fields>(terminal: Terminal, fields: F, given: Given) {
  const { config } = fieldsOf(configFields, given);
  const own = fieldsOf(fields, given);
  if (config === undefined) return { request: own, models: modelsOf(given), folder: undefined };
  const { readConfig } = await import("../train-config.js");
  const { fields: read, folder, base } = readConfig(terminal, fields, config);
  const request = parseRequest(z.strictObject(fields), { ...read, ...own }, config);
  const { pair, base: named = pair === undefined ? base : undefined, ...models } = modelsOf(given);
  return {
    request,
    models: { ...models, ...(pair !== undefined && { pair }), ...(named !== undefined && { base: named }) },
    folder,
  };
}

/** @throws RequestError where neither the command line nor the config names a folder */
function folderOf(given: string | undefined, config: string | undefined): string {
  const folder = given ?? config;
  if (folder === undefined) throw new RequestError("a folder of images is missing: train … FOLDER");
  return folder;
}

const withTraining = (command: Command, fields: Fields): Command =>
  withOutput(addFields(addFields(addFields(withModels(command), fields), configFields), resumeFields));

const DISTILL = "variegate train distill --pair embedded --method dmd2 --keep-diversity --out distilled";

export function addTrain(train: Command): void {
  withExamples(train, IMAGES, "variegate train lora pictures --out red", SMILE, DISTILL);

  const slider = withTraining(train.command("slider"), sliderFields);
  withExamples(slider, SMILE, `${SMILE} --on distilled --out smile`)
    .description("trains a Concept Slider: a LoRA whose scale moves a concept between two prompts")
    .action(async (given: Given) => {
      const [{ runTraining }, { sliderTraining }] = [await import("../train.js"), await import("../train-slider.js")];
      const terminal = openTerminal(outputFormatOf(given));
      const { request, models } = await asked(terminal, sliderFields, given);
      const training = sliderTraining(terminal, request, interrupted);
      await runTraining(terminal, models, training, outputOf(given), interrupted);
    });

  const lora = withTraining(train.command("lora"), loraFields);
  withExamples(lora, IMAGES, "variegate train lora pictures --out red")
    .argument("[folder]", "images, with captions in .txt files beside them, metadata.jsonl or captions.csv")
    .description(
      "trains a LoRA on a folder of images with captions: a subject, a style (DreamBooth with --class-prompt)",
    )
    .action(async (dir: string | undefined, given: Given) => {
      const [{ runTraining }, { loraTraining }] = [await import("../train.js"), await import("../train-lora.js")];
      const terminal = openTerminal(outputFormatOf(given));
      const { request, models, folder } = await asked(terminal, loraFields, given);
      const training = loraTraining(terminal, models, folderOf(dir, folder), request, interrupted);
      await runTraining(terminal, models, training, outputOf(given), interrupted);
    });

  const distill = withTraining(train.command("distill"), distillFields);
  withExamples(distill, DISTILL, "variegate train distill --pair embedded --method lcm --out consistent")
    .description("distils the base to few steps, as a LoRA or as whole weights")
    .action(async (given: Given) => {
      const [{ runTraining }, { distillTraining }] = [await import("../train.js"), await import("../train-distill.js")];
      const terminal = openTerminal(outputFormatOf(given));
      const { request, models } = await asked(terminal, distillFields, given);
      const training = distillTraining(terminal, models, request, interrupted);
      await runTraining(terminal, models, training, outputOf(given), interrupted);
    });

  const embedding = withTraining(train.command("embedding"), wordFields);
  withExamples(embedding, IMAGES, 'variegate train embedding pictures --token "<pip>" --initialize red --out pip')
    .argument("[folder]", "images; captions with the token in .txt files beside them, metadata.jsonl or captions.csv")
    .description("trains a textual inversion on a folder of images: embeddings of a new token for prompts")
    .action(async (dir: string | undefined, given: Given) => {
      const [{ runTraining }, { wordTraining }] = [await import("../train.js"), await import("../train-word.js")];
      const terminal = openTerminal(outputFormatOf(given));
      const { request, models, folder } = await asked(terminal, wordFields, given);
      const training = wordTraining(terminal, models, folderOf(dir, folder), request, interrupted);
      await runTraining(terminal, models, training, outputOf(given), interrupted);
    });
}
