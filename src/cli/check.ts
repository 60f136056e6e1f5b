/** `variegate models check`: describes a model or adapter, and lists the options and models that accept it. */

import { existsSync } from "node:fs";
import { readPairs } from "../catalogue/node/index.js";
import { RequestError } from "../errors.js";
import { memoryUses } from "../generate/index.js";
import { type CheckRequest, checkReference, type FitReport, memorySentence, usesOf } from "../inspect/index.js";
import { machineBudget } from "../open/index.js";
import { counted, formatBytes } from "../tensor/index.js";
import { fetching } from "./fetching.js";
import { columnsOf } from "./table.js";
import type { Terminal } from "./terminal.js";
import { millions } from "./units.js";

/** Prints the report of a reference. */
export async function runCheck(terminal: Terminal, ref: string, request: CheckRequest): Promise<void> {
  const pair = existsSync(ref) ? undefined : (await readPairs(undefined)).find(({ name }) => name === ref);
  if (pair) {
    const models = [pair.base, pair.distilled].join(" and ");
    throw new RequestError(
      `${ref}: is a named pair, and \`models check\` takes one model; those of the pair are ${models}`,
    );
  }
  const report = await checkReference(ref, { ...request, ...fetching(terminal) });
  const budget = machineBudget();
  const memory = report.memory && memoryUses(report.memory, budget);
  terminal.emit({ type: "check", ...report, memory, room: budget });
  const { print } = terminal;

  print(`${report.ref}: ${report.about || report.pipeline}`);
  for (const why of report.because) print(`  because ${why}`);
  print("");
  terminal.table(
    columnsOf(["part", "class", "parameters", "bytes", "stored as", "supported"], {
      "stored as": { drop: 1 },
      bytes: { drop: 2 },
      supported: { text: true },
    }),
    [
      ...report.components.map((c) => [
        c.name,
        c.className,
        millions(c.parameters),
        formatBytes(c.bytes),
        c.dtypes.join(", "),
        c.className === "tensors"
          ? ""
          : c.unused.length === 0
            ? "yes"
            : `yes, ${counted(c.unused.length, "tensor")} unused`,
      ]),
      ...(report.components.length > 1
        ? [["all", report.pipeline, millions(report.parameters), formatBytes(report.bytes), "", ""]]
        : []),
    ],
  );
  for (const note of report.notes) print(note);
  print("");
  for (const missing of report.missing) print(`cannot generate on its own: ${missing}`);
  for (const line of usesOf(report)) print(line);
  printFits(terminal, "adapters", report.adapters);
  printFits(terminal, "models", report.models);
  const sentence = memorySentence(report, budget);
  if (sentence !== null) print(sentence);
}

function printFits(terminal: Terminal, what: string, reports: readonly FitReport[]): void {
  if (reports.length === 0) return;
  terminal.print("");
  const rows = reports.map((r) => [r.ref, r.fits ? "yes" : "no", r.why]);
  terminal.table(columnsOf([what, "fits", "why"], { [what]: { text: true }, why: { text: true } }), rows);
}
