/** `trace`, `explore` and `slide`: commands that run one prompt in several modes. */
import type { Command } from "commander";
import { slideFields } from "../../control/fields.js";
import { exploreFields } from "../../explore/fields.js";
import { traceFields } from "../../trajectory/fields.js";
import { addFields, fieldsOf } from "../fields.js";
import { interrupted } from "../interrupt.js";
import { seedFields } from "../seeds.js";
import { openTerminal } from "../terminal.js";
import {
  type Given,
  modelsOf,
  outputFormatOf,
  outputOf,
  requestOf,
  resumeFields,
  seedsFrom,
  severalModesFields,
  TRACE_SEEDS,
  withExamples,
  withModels,
  withOutputAndTables,
} from "./common.js";

export function addTrace(command: Command): void {
  addFields(addFields(withModels(command), { ...severalModesFields, ...seedFields }), traceFields);
  withExamples(
    withOutputAndTables(addFields(command, resumeFields)).argument("<prompt>", "prompt"),
    'variegate trace "a cartoon character with one eye"',
    'variegate trace "a cartoon character with one eye" --seeds 0-7 --watch "a top hat" --out traced',
  ).action(async (prompt: string, given: Given) => {
    const { runTrace } = await import("../trace.js");
    const terminal = openTerminal(outputFormatOf(given));
    const request = {
      ...requestOf(terminal, severalModesFields, given, TRACE_SEEDS),
      ...fieldsOf(traceFields, given),
      prompt,
    };
    await runTrace(terminal, modelsOf(given), request, outputOf(given), interrupted);
  });
}

/** Default seeds of `explore`. */
const EXPLORE_SEEDS = Array.from({ length: 64 }, (_, i) => i);

export function addExplore(command: Command): void {
  const fields = { ...severalModesFields, seeds: seedsFrom(EXPLORE_SEEDS) };
  addFields(addFields(withModels(command), { ...fields, ...seedFields }), exploreFields);
  withExamples(
    withOutputAndTables(addFields(command, resumeFields)).argument("<prompt>", "prompt"),
    'variegate explore "a cartoon character" --seeds 0-31',
    'variegate explore "a cartoon character" --seeds 0-127 --directions 6 --mode base,distilled --out explored',
  ).action(async (prompt: string, given: Given) => {
    const { runExplore } = await import("../explore.js");
    const terminal = openTerminal(outputFormatOf(given));
    const request = {
      ...requestOf(terminal, fields, given, EXPLORE_SEEDS),
      ...fieldsOf(exploreFields, given),
      prompt,
    };
    await runExplore(terminal, modelsOf(given), request, outputOf(given), interrupted);
  });
}

export function addSlide(command: Command): void {
  addFields(addFields(withModels(command), { ...severalModesFields, ...seedFields }), slideFields);
  withExamples(
    withOutputAndTables(addFields(command, resumeFields)).argument("<prompt>", "prompt"),
    'variegate slide "a cartoon character" --slider smile.base',
    'variegate slide "a cartoon character" --slider smile.base --scales 0,1,2 --concept "a smiling cartoon character"',
  ).action(async (prompt: string, given: Given) => {
    const { runSlide } = await import("../slide.js");
    const terminal = openTerminal(outputFormatOf(given));
    const { allowUnmatched, ...models } = modelsOf(given);
    const request = {
      scales: [-2, -1, 0, 1, 2],
      ...requestOf(terminal, severalModesFields, given, TRACE_SEEDS),
      ...fieldsOf(slideFields, given),
      ...(allowUnmatched && { allowUnmatched }),
      prompt,
    };
    await runSlide(terminal, models, request, outputOf(given), interrupted);
  });
}
