/** `trace` and `slide`: commands that run one prompt in several modes. */
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
  outputFormatOf,
  outputOf,
  resumeFields,
  severalModesFields,
  TRACE_SEEDS,
  withModels,
  withOutputAndTables,
} from "./common.js";

export function addTraceCommands(program: Command): void {
  const trace = addFields(addFields(withModels(program.command("trace")), severalModesFields), traceFields);
  withOutputAndTables(addFields(trace, resumeFields))
    .description("records x0 at every step of each model: when a run commits, and the effect of single rows")
    .argument("<prompt>", "prompt")
    .addHelpText(
      "before",
      example('variegate trace "a cartoon character with one eye" --seeds 0-7 --watch "a top hat" --out traced'),
    )
    .action(async (prompt: string, given: Given) => {
      const { runTrace } = await import("../trace.js");
      const request = {
        seeds: TRACE_SEEDS,
        ...fieldsOf(severalModesFields, given),
        ...fieldsOf(traceFields, given),
        prompt,
      };
      await runTrace(openTerminal(outputFormatOf(given)), modelsOf(given), request, outputOf(given), interrupted);
    });

  withOutputAndTables(addFields(addFields(withModels(program.command("slide")), severalModesFields), slideFields))
    .description("generates one prompt at every scale of a slider, with base, distilled and hybrid")
    .argument("<prompt>", "prompt")
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
        seeds: TRACE_SEEDS,
        scales: [-2, -1, 0, 1, 2],
        ...fieldsOf(severalModesFields, given),
        ...fieldsOf(slideFields, given),
        ...(allowUnmatched && { allowUnmatched }),
        prompt,
      };
      await runSlide(openTerminal(outputFormatOf(given)), models, request, outputOf(given), interrupted);
    });
}
