/** `variegate models check`: describes a model or adapter, and lists the options and models that accept it. */

import { memoryUses } from "../generate/index.js";
import { type CheckReport, type CheckRequest, checkReference, type FitReport } from "../inspect/index.js";
import { machineBudget } from "../open/index.js";
import { counted, formatBytes } from "../tensor/index.js";
import { fetching } from "./fetching.js";
import { columnsOf } from "./table.js";
import type { Terminal } from "./terminal.js";
import { millions } from "./units.js";

/** Maximum number of names in a list; --json prints all. */
const SHOWN = 12;

/** Prints the report of a reference. */
export async function runCheck(terminal: Terminal, ref: string, request: CheckRequest): Promise<void> {
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
  if (memory) {
    const best = memory.find((n) => n.fits);
    const how = memory.map((n) => `${n.offload} ${formatBytes(n.bytes)}${n.fits ? "" : " (too much)"}`).join(", ");
    const verdict = best ? `fits, with --offload ${best.offload}` : "does not fit";
    print(`memory: weights take ${how}; the budget is ${formatBytes(budget)}: ${verdict}`);
  }
}

/** Options that accept the reference, and named pairs of the same architecture. */
function usesOf({ kind, pairs, missing, ref }: CheckReport): string[] {
  const name = /\s/.test(ref) ? JSON.stringify(ref) : ref;
  const shown = pairs.slice(0, SHOWN).join(", ") + (pairs.length > SHOWN ? ` and ${pairs.length - SHOWN} more` : "");
  const all: { readonly [K in CheckReport["kind"]]: string } = {
    pipeline: `use it with --base ${name}, or --distilled beside another base`,
    checkpoint: `use it with --base ${name}, or --distilled beside another base`,
    unet: `use it with --distilled ${name}, or --base with --text-encoder and --decoder`,
    autoencoder: `use it with --decoder ${name}`,
    "tiny autoencoder": `use it with --decoder ${name}`,
    "text encoder": `use it with --text-encoder ${name}, for a --base that has none`,
    adapter: `use it with --lora ${name}, or with --distilled if it distils the base`,
    "textual inversion": `use it with --embedding ${name}`,
    measure: "it measures images",
  };
  const usable = kind === "pipeline" || kind === "checkpoint" ? missing.length === 0 : true;
  return [
    ...(usable ? [all[kind]] : []),
    ...(pairs.length > 0 ? [`named pairs of this architecture (--pair NAME --base …): ${shown}`] : []),
  ];
}

function printFits(terminal: Terminal, what: string, reports: readonly FitReport[]): void {
  if (reports.length === 0) return;
  terminal.print("");
  const rows = reports.map((r) => [r.ref, r.fits ? "yes" : "no", r.why]);
  terminal.table(columnsOf([what, "fits", "why"], { [what]: { text: true }, why: { text: true } }), rows);
}
