/** Options and help that several commands share. */
import type { Command } from "commander";
import { z } from "zod";
import { requestFields } from "../../generate/index.js";
import { machineFields, modelFields } from "../../open/index.js";
import { MODES } from "../../sampling/index.js";
import { type InputOf, option } from "../../schema/index.js";
import { addFields, fieldsOf } from "../fields.js";

/** Options as commander reads them. */
export type Given = Readonly<Record<string, unknown>>;

export const example = (...lines: string[]) => `Example:\n${lines.map((l) => `  ${l}`).join("\n")}\n\n`;

const text = z.string();

/** How much is said, and in which form. */
export const talkFields = {
  json: option(z.boolean(), { flag: "--json", about: "one JSON object a line on stdout" }),
  quiet: option(z.boolean(), { flag: "--quiet", about: "no progress" }),
  debug: option(z.boolean(), { flag: "--debug", about: "show the stack of an error" }),
} as const;

/** Where results go. */
export const outputFields = {
  out: option(text, { flag: "--out <dir>", about: "folder for the results (default: a new one under out/)" }),
  force: option(z.boolean(), { flag: "--force", about: "write into a folder that holds another run" }),
} as const;

export const resumeFields = {
  resume: option(z.boolean(), { flag: "--resume", about: "go on with the run in --out" }),
} as const;

const { mode: _mode, ...withoutMode } = requestFields;

/** A request for commands that run several modes. */
export const severalModesFields = {
  ...withoutMode,
  modes: option(z.array(z.enum(MODES)), {
    flag: "--mode <list>",
    about: "modes, such as base,hybrid (default: all that the models allow)",
    read(list) {
      const words = list.split(",").map((word) => word.trim());
      return words.every((word) => MODES.some((mode) => mode === word))
        ? MODES.filter((mode) => words.includes(mode))
        : undefined;
    },
    expected: `a list of ${MODES.join(", ")}`,
  }),
} as const;

/** `compare` runs all modes. */
export const allModesFields = withoutMode;

export const withTalk = (command: Command): Command => addFields(command, talkFields);
export const withOutput = (command: Command): Command => withTalk(addFields(command, outputFields));
export const withModels = (command: Command): Command => addFields(addFields(command, modelFields), machineFields);

export const talkOf = (given: Given): InputOf<typeof talkFields> => fieldsOf(talkFields, given);
export const modelsOf = (given: Given) => ({ ...fieldsOf(modelFields, given), ...fieldsOf(machineFields, given) });
export const outputOf = (given: Given): InputOf<typeof outputFields> & InputOf<typeof resumeFields> =>
  fieldsOf({ ...outputFields, ...resumeFields }, given);
