/** `trace` and `slide`: commands that take one prompt and run it in several modes. */
import type { Command } from "commander";
import { slideFields } from "../../control/index.js";
import { traceFields } from "../../trajectory/index.js";
import { addFields, fieldsOf } from "../fields.js";
import { interrupted } from "../interrupt.js";
import { openTerminal } from "../terminal.js";
import {
  example,
  type Given,
  modelsOf,
  outputOf,
  resumeFields,
  severalModesFields,
  talkOf,
  withModels,
  withOutput,
} from "./common.js";

/** Seeds of commands that set images side by side. */
const SEEDS = [0, 1, 2, 3];

export function addTraceCommands(program: Command): void {
  const trace = addFields(addFields(withModels(program.command("trace")), severalModesFields), traceFields);
  withOutput(addFields(trace, resumeFields))
    .description("x0 at every step of each model: when a run commits, and which model's step decided what")
    .argument("<prompt>", "the prompt")
    .addHelpText(
      "before",
      example('variegate trace "a cartoon character with one eye" --seeds 0-7 --watch "a top hat" --out traced'),
    )
    .action(async (prompt: string, given: Given) => {
      const { runTrace } = await import("../trace.js");
      const request = { seeds: SEEDS, ...fieldsOf(severalModesFields, given), ...fieldsOf(traceFields, given), prompt };
      await runTrace(openTerminal(talkOf(given)), modelsOf(given), request, outputOf(given), interrupted);
    });

  withOutput(addFields(addFields(withModels(program.command("slide")), severalModesFields), slideFields))
    .description("one prompt along a slider's scales, on base, distilled and hybrid")
    .argument("<prompt>", "the prompt")
    .addHelpText(
      "before",
      example(
        'variegate slide "a cartoon character" --slider embedded:sliders/smile.base.safetensors --concept "a smiling cartoon character"',
      ),
    )
    .action(async (prompt: string, given: Given) => {
      const { runSlide } = await import("../slide.js");
      const { allowUnmatched, ...models } = modelsOf(given);
      const request = {
        seeds: SEEDS,
        scales: [-2, -1, 0, 1, 2],
        ...fieldsOf(severalModesFields, given),
        ...fieldsOf(slideFields, given),
        ...(allowUnmatched && { allowUnmatched }),
        prompt,
      };
      await runSlide(openTerminal(talkOf(given)), models, request, outputOf(given), interrupted);
    });
}
