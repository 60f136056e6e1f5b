/** `studio`: the HTTP API of this machine's models. */
import type { Command } from "commander";
import { z } from "zod";
import { grouped, option } from "../../schema/index.js";
import { addFields, fieldsOf } from "../fields.js";
import { interrupted } from "../interrupt.js";
import { openTerminal } from "../terminal.js";
import { type Given, modelsOf, outputFormatFields, outputFormatOf, withExamples, withModels } from "./common.js";

const studioFields = grouped("task", {
  workspace: option(z.string().min(1), {
    flag: "--workspace <dir>",
    about: "folder of the history and its images (default: out/studio)",
    expected: "the name of a folder",
  }),
  port: option(z.int().min(0).max(65_535), {
    flag: "--port <n>",
    about: "port, or the next free one; 0 for any (default: 7860)",
  }),
  address: option(z.string().min(1), {
    flag: "--address <address>",
    aliases: ["--host", "--listen"],
    about: "address to listen on; another one than this machine's own needs --token (default: 127.0.0.1)",
  }),
  open: option(z.boolean(), { flag: "--open", about: "open the page in the browser" }),
  token: option(z.union([z.literal(true), z.string().min(16, "expected at least 16 characters")]), {
    flag: "--token [text]",
    env: "VARIEGATE_TOKEN",
    about:
      "ask for a token, which is printed once; default text: random. VARIEGATE_TOKEN keeps it out of the list of processes",
  }),
} as const);

export function addStudio(command: Command): void {
  addFields(addFields(withModels(command), studioFields), outputFormatFields);
  withExamples(command, "variegate studio", "variegate studio --port 0 --workspace out/characters --json").action(
    async (given: Given) => {
      const { runStudio } = await import("../studio.js");
      const terminal = openTerminal(outputFormatOf(given));
      await runStudio(terminal, modelsOf(given), fieldsOf(studioFields, given), interrupted);
    },
  );
}
