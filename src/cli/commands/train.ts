/** `train`: adapters made on this machine. */
import type { Command } from "commander";
import { distillFields, loraFields, sliderFields, wordFields } from "../../train/fields.js";
import { addFields, fieldsOf } from "../fields.js";
import { interrupted } from "../interrupt.js";
import { openTerminal } from "../terminal.js";
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

const DISTILL = "variegate train distill --pair embedded --method dmd2 --keep-diversity --out distilled";

export function addTrain(train: Command): void {
  withExamples(train, IMAGES, "variegate train lora pictures --out red", SMILE, DISTILL);

  const slider = withOutput(addFields(addFields(withModels(train.command("slider")), sliderFields), resumeFields));
  withExamples(slider, SMILE, `${SMILE} --on distilled --out smile`)
    .description("trains a Concept Slider: a LoRA whose scale moves a concept between two prompts")
    .action(async (given: Given) => {
      const [{ runTraining }, { sliderTraining }] = [await import("../train.js"), await import("../train-slider.js")];
      const terminal = openTerminal(outputFormatOf(given));
      const training = sliderTraining(terminal, fieldsOf(sliderFields, given), interrupted);
      await runTraining(terminal, modelsOf(given), training, outputOf(given), interrupted);
    });

  const lora = withOutput(addFields(addFields(withModels(train.command("lora")), loraFields), resumeFields));
  withExamples(lora, IMAGES, "variegate train lora pictures --out red")
    .argument("<folder>", "images, with captions in .txt files beside them, metadata.jsonl or captions.csv")
    .description(
      "trains a LoRA on a folder of images with captions: a subject, a style (DreamBooth with --class-prompt)",
    )
    .action(async (folder: string, given: Given) => {
      const [{ runTraining }, { loraTraining }] = [await import("../train.js"), await import("../train-lora.js")];
      const terminal = openTerminal(outputFormatOf(given));
      const training = loraTraining(terminal, folder, fieldsOf(loraFields, given), interrupted);
      await runTraining(terminal, modelsOf(given), training, outputOf(given), interrupted);
    });

  const distill = withOutput(addFields(addFields(withModels(train.command("distill")), distillFields), resumeFields));
  withExamples(distill, DISTILL, "variegate train distill --pair embedded --method lcm --out consistent")
    .description("distils the base to few steps, as a LoRA or as whole weights")
    .action(async (given: Given) => {
      const [{ runTraining }, { distillTraining }] = [await import("../train.js"), await import("../train-distill.js")];
      const terminal = openTerminal(outputFormatOf(given));
      const models = modelsOf(given);
      const training = distillTraining(terminal, models, fieldsOf(distillFields, given), interrupted);
      await runTraining(terminal, models, training, outputOf(given), interrupted);
    });

  const embedding = withOutput(addFields(addFields(withModels(train.command("embedding")), wordFields), resumeFields));
  withExamples(embedding, IMAGES, 'variegate train embedding pictures --token "<pip>" --initialize red --out pip')
    .argument("<folder>", "images; captions with the token in .txt files beside them, metadata.jsonl or captions.csv")
    .description("trains a textual inversion on a folder of images: embeddings of a new token for prompts")
    .action(async (folder: string, given: Given) => {
      const [{ runTraining }, { wordTraining }] = [await import("../train.js"), await import("../train-word.js")];
      const terminal = openTerminal(outputFormatOf(given));
      const models = modelsOf(given);
      const training = wordTraining(terminal, models, folder, fieldsOf(wordFields, given), interrupted);
      await runTraining(terminal, models, training, outputOf(given), interrupted);
    });
}
