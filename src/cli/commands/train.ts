/** `train`: adapters made on this machine. */
import type { Command } from "commander";
import { sliderFields } from "../../train/fields.js";
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

export function addTrain(train: Command): void {
  const smile = 'variegate train slider --concept "a cartoon character" --positive "a smiling cartoon character"';
  const example = `${smile} --negative "a sad cartoon character"`;
  withExamples(train, example, `${example} --on distilled --out smile`);

  const slider = withOutput(addFields(addFields(withModels(train.command("slider")), sliderFields), resumeFields));
  withExamples(slider, example, `${example} --on distilled --out smile`)
    .description("trains a Concept Slider: a LoRA whose scale moves a concept between two prompts")
    .action(async (given: Given) => {
      const { runTrainSlider } = await import("../train.js");
      const terminal = openTerminal(outputFormatOf(given));
      await runTrainSlider(terminal, modelsOf(given), fieldsOf(sliderFields, given), outputOf(given), interrupted);
    });
}
