/** Options and help shared by several commands. */
import type { Command } from "commander";
import { z } from "zod";
import { requestFields } from "../../generate/index.js";
import { machineFields, modelFields } from "../../open/index.js";
import { MODES } from "../../sampling/index.js";
import { formsOf, type InputOf, option } from "../../schema/index.js";
import { addFields, fieldsOf } from "../fields.js";

/** Option values as parsed by commander. */
export type Given = Readonly<Record<string, unknown>>;

export const example = (...lines: string[]) => `Example:\n${lines.map((l) => `  ${l}`).join("\n")}\n\n`;

const text = z.string();

/** Options of the terminal output. */
export const outputFormatFields = {
  json: option(z.boolean(), { flag: "--json", about: "print one JSON object per line on stdout" }),
  quiet: option(z.boolean(), { flag: "--quiet", about: "print no progress and no warnings" }),
  debug: option(z.boolean(), { flag: "--debug", about: "print the stack trace of an error" }),
} as const;

/** Options of commands that print tables. */
const tableFields = {
  all: option(z.boolean(), { flag: "--all", about: "show every column of a table, however narrow the terminal" }),
} as const;

/** Options of the output folder. */
export const outputFields = {
  out: option(text, { flag: "--out <dir>", about: "output folder (default: a new folder in out/)" }),
  force: option(z.boolean(), { flag: "--force", about: "replace the run that the output folder holds" }),
} as const;

export const resumeFields = {
  resume: option(z.boolean(), { flag: "--resume", about: "continue the run in --out" }),
} as const;

/** Default seeds of `compare`. */
export const COMPARE_SEEDS = [0, 1, 2, 3, 4, 5, 6, 7];
/** Default seeds of `trace` and `slide`. */
export const TRACE_SEEDS = [0, 1, 2, 3];

const { mode: _mode, seeds, ...withoutMode } = requestFields;

/** The field `seeds`, whose help states other defaults. */
const seedsFrom = (defaults: readonly number[]) =>
  option(
    seeds.unwrap(),
    ...formsOf(seeds).map((form) => ({
      ...form,
      about: `seeds, such as "0-7,42" (default: ${defaults[0]}-${defaults.at(-1)})`,
    })),
  );

/** Fields of a request that runs several modes. */
export const severalModesFields = {
  ...withoutMode,
  seeds: seedsFrom(TRACE_SEEDS),
  modes: option(z.array(z.enum(MODES)), {
    flag: "--mode <list>",
    about: "modes to run, such as base,hybrid (default: all that the models allow)",
    read(list) {
      const names = list.split(",").map((name) => name.trim());
      return names.every((name) => MODES.some((mode) => mode === name))
        ? MODES.filter((mode) => names.includes(mode))
        : undefined;
    },
    expected: `a list of ${MODES.join(", ")}`,
  }),
} as const;

/** Fields of a request that runs all modes. */
export const allModesFields = { ...withoutMode, seeds: seedsFrom(COMPARE_SEEDS) } as const;

export const withOutputFormat = (command: Command): Command => addFields(command, outputFormatFields);
export const withTables = (command: Command): Command => withOutputFormat(addFields(command, tableFields));
export const withOutput = (command: Command): Command => withOutputFormat(addFields(command, outputFields));
export const withOutputAndTables = (command: Command): Command => withTables(addFields(command, outputFields));
export const withModels = (command: Command): Command => addFields(addFields(command, modelFields), machineFields);

export const outputFormatOf = (given: Given): InputOf<typeof outputFormatFields & typeof tableFields> =>
  fieldsOf({ ...outputFormatFields, ...tableFields }, given);
export const modelsOf = (given: Given) => ({ ...fieldsOf(modelFields, given), ...fieldsOf(machineFields, given) });
export const outputOf = (given: Given): InputOf<typeof outputFields> & InputOf<typeof resumeFields> =>
  fieldsOf({ ...outputFields, ...resumeFields }, given);
