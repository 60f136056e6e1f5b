/** `methods`: the diversity methods. */
import type { Command } from "commander";
import { openTerminal } from "../terminal.js";
import { type Given, outputFormatOf, withExamples, withTables } from "./common.js";

export function addMethods(command: Command): void {
  withExamples(
    withTables(command).argument("[names...]", "methods to describe in full (default: all, in a table)"),
    "variegate methods",
    "variegate methods cads",
  ).action(async (names: string[], given: Given) => {
    const { runMethods } = await import("../methods.js");
    runMethods(openTerminal(outputFormatOf(given)), names);
  });
}
