/** Options and help shared by several commands. */
import type { Command } from "commander";
import { z } from "zod";
import { requestFields } from "../../generate/fields.js";
import { machineFields, modelFields } from "../../open/fields.js";
import { MODES } from "../../sampling/fields.js";
import { type Fields, formsOf, grouped, type InputOf, option } from "../../schema/index.js";
import { addFields, fieldsOf } from "../fields.js";
import { seedFields, seedsOf } from "../seeds.js";
import type { Terminal } from "../terminal.js";

/** Option values as parsed by commander. */
export type Given = Readonly<Record<string, unknown>>;

/** Puts examples in front of the help of a command. They work as they stand, on the embedded pair. */
export const withExamples = (command: Command, ...lines: readonly [string, string, ...string[]]): Command =>
  command.addHelpText("before", `Examples:\n${lines.map((l) => `  ${l}`).join("\n")}\n`);

/** Options of the terminal output. */
export const outputFormatFields = grouped("output", {
  json: option(z.boolean(), { flag: "--json", about: "print one JSON object per line on stdout" }),
  quiet: option(z.boolean(), { flag: "--quiet", about: "print no progress and no warnings" }),
  debug: option(z.boolean(), { flag: "--debug", about: "print the stack trace of an error" }),
} as const);

/** Options of commands that print tables. */
const tableFields = grouped("output", {
  all: option(z.boolean(), { flag: "--all", about: "show every column of a table, however narrow the terminal" }),
} as const);

/** Names of other tools for --out. */
export const OUT_ALIASES = ["--output", "--output-dir", "--outdir"] as const;

/** Options of the output folder. */
export const outputFields = grouped("output", {
  out: option(z.string().min(1), {
    flag: "-o, --out <dir>",
    aliases: OUT_ALIASES,
    about: "output folder (default: a new folder in out/)",
    expected: "the name of a folder",
  }),
  force: option(z.boolean(), {
    flag: "--force",
    about: "replace the run that the output folder holds",
    excludes: ["resume"],
  }),
} as const);

export const resumeFields = grouped("output", {
  resume: option(z.boolean(), { flag: "--resume", about: "continue the run in --out" }),
} as const);

/** Default seeds of `compare`. */
export const COMPARE_SEEDS = [0, 1, 2, 3, 4, 5, 6, 7];
/** Default seeds of `trace` and `slide`. */
export const TRACE_SEEDS = [0, 1, 2, 3];

const { mode: _mode, seeds, ...withoutMode } = requestFields;

/** The field `seeds`, whose help states other defaults. */
export const seedsFrom = (defaults: readonly number[]) =>
  option(
    seeds.unwrap(),
    ...formsOf(seeds).map((form) => ({
      ...form,
      about: `seeds, such as "0-7,42" (default: ${defaults[0]}-${defaults.at(-1)})`,
    })),
  );

const { choose: _c, chooseBy: _b, chooseFit: _f, choosePrune: _p, ...withoutChoice } = withoutMode;

/** Fields of a request that runs several modes, with the same seeds in each. */
export const severalModesFields = {
  ...withoutChoice,
  seeds: seedsFrom(TRACE_SEEDS),
  modes: option(z.array(z.enum(MODES)), {
    flag: "--mode <list>",
    group: "what",
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

const { adapters, allowUnmatched: _allow, embeddings: _embeddings, ...withoutAdapters } = modelFields;
const { threads: _threads, ...machineWithoutThreads } = machineFields;
const { pair, pairs, base, textEncoders, tokenizer, modelFolders, variant } = modelFields;
/** Models and the machine, without what is applied to the models: for commands that run nothing. */
export const withBareModels = (command: Command): Command =>
  addFields(addFields(command, withoutAdapters), machineWithoutThreads);
/** The base of a pair, for commands that read its layers and run nothing. */
export const withBase = (command: Command): Command =>
  addFields(command, { pair, pairs, base, textEncoders, tokenizer, modelFolders, variant });
/** The base of a pair that adapters are merged into. */
export const withMergedBase = (command: Command): Command =>
  addFields(command, { pair, pairs, base, adapters, modelFolders, variant });

export const outputFormatOf = (given: Given): InputOf<typeof outputFormatFields & typeof tableFields> =>
  fieldsOf({ ...outputFormatFields, ...tableFields }, given);
export const modelsOf = (given: Given) => ({ ...fieldsOf(modelFields, given), ...fieldsOf(machineFields, given) });
/**
 * Fields of a request, with the seeds that its options ask for.
 * @param usual seeds without any option
 */
export function requestOf<F extends Fields>(terminal: Terminal, fields: F, given: Given, usual?: readonly number[]) {
  const request = fieldsOf(fields, given);
  const asked = fieldsOf({ seeds: requestFields.seeds }, given);
  const { resume } = outputOf(given);
  const seeds = seedsOf(terminal, fieldsOf(seedFields, given), {
    ...asked,
    usual: usual?.length ?? 1,
    ...(resume && { resume }),
  });
  return { ...request, ...((seeds ?? usual) && { seeds: seeds ?? usual }) };
}

export const outputOf = (given: Given): InputOf<typeof outputFields> & InputOf<typeof resumeFields> =>
  fieldsOf({ ...outputFields, ...resumeFields }, given);
