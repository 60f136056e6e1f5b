/** `variegate methods`: what each diversity method does, its cost, its settings and its source. Loads no model. */
import { METHOD_NAMES, METHODS, type MethodName, methodNamed, settingsOf } from "../sampling/index.js";
import { columnsOf } from "./table.js";
import type { Terminal } from "./terminal.js";

/** Prints all methods in a table, or the named ones in full. @throws RequestError for an unknown name */
export function runMethods(terminal: Terminal, names: readonly string[]): void {
  const shown = names.length === 0 ? METHOD_NAMES : names.map(methodNamed);
  for (const name of shown) terminal.emit({ type: "method", ...factsOf(name) });
  if (names.length > 0) {
    for (const [i, name] of shown.entries()) printMethod(terminal, name, i > 0);
    return;
  }
  terminal.table(
    columnsOf(["method", "acts on", "what it does", "model calls"], {
      "what it does": { text: true },
      "model calls": { text: true, drop: 1 },
    }),
    shown.map((name) => [name, METHODS[name].acts, METHODS[name].about, METHODS[name].calls]),
  );
  terminal.print("");
  terminal.print(
    "--diversity NAME:setting=value,… takes a method, and can be repeated; methods NAME lists its settings.",
  );
  terminal.print(
    "--switch, --handoff, --ratio, --base-guidance and --skip change the hand-off itself (variegate generate --help).",
  );
}

function factsOf(name: MethodName) {
  const { title, about, acts, calls, suits, source, needs, excludes } = METHODS[name];
  return { name, title, about, acts, calls, suits, source, needs, excludes, settings: settingsOf(name) };
}

function printMethod(terminal: Terminal, name: MethodName, apart: boolean): void {
  const { title, about, acts, calls, suits, source, needs, excludes, settings } = factsOf(name);
  if (apart) terminal.print("");
  terminal.print(`${name}: ${title}`);
  terminal.print(`  ${about}`);
  const facts = [
    ["acts on", acts],
    ["model calls", calls],
    ["suits", suits],
    ["needs", needs.map((need) => NEEDS[need]).join(", ")],
    ["not beside", excludes.join(", ")],
    ["source", source],
  ] as const;
  for (const [label, text] of facts) if (text !== "") terminal.print(`  ${label}: ${text}`);
  terminal.print("");
  terminal.table(
    columnsOf(["setting", "default", "values", "meaning"], { values: { text: true }, meaning: { text: true } }),
    settings.map((s) => [s.name, String(s.default), s.values, s.about]),
  );
}

const NEEDS = {
  group: "two seeds or more",
  guidance: "a guidance scale above 1",
  lora: "a distilled model that is a LoRA",
} as const;
