/** `variegate models check`: prints what a model or adapter is, and what can be done with it. */

import { memoryUses } from "../generate/index.js";
import { type CheckReport, type CheckRequest, checkReference, type FitReport } from "../inspect/index.js";
import { machineBudget } from "../open/index.js";
import { formatBytes } from "../tensor/index.js";
import { fetching } from "./fetching.js";
import { type Terminal, table } from "./terminal.js";
import { millions } from "./words.js";

/** Names shown of a long list; --json has all. */
const SHOWN = 12;

/** Prints what a reference holds, what tells that, and what goes with it. */
export async function runCheck(terminal: Terminal, ref: string, request: CheckRequest): Promise<void> {
  const report = await checkReference(ref, { ...request, ...fetching(terminal) });
  const room = machineBudget();
  const memory = report.memory && memoryUses(report.memory, room);
  terminal.emit({ type: "check", ...report, memory, room });
  const say = (text: string) => terminal.say(text);

  say(`${report.ref}: ${report.about || report.pipeline}`);
  for (const why of report.because) say(`  because ${why}`);
  say("");
  say(
    table([
      ["part", "class", "parameters", "bytes", "stored as", "drawn"],
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
            : `yes, ${c.unused.length} ${c.unused.length === 1 ? "tensor" : "tensors"} unused`,
      ]),
      ...(report.components.length > 1
        ? [["all", report.pipeline, millions(report.parameters), formatBytes(report.bytes), "", ""]]
        : []),
    ]),
  );
  for (const note of report.notes) say(note);
  say("");
  for (const missing of report.missing) say(`not enough to paint with: ${missing}`);
  for (const line of usesOf(report)) say(line);
  fits(terminal, "adapters", report.adapters);
  fits(terminal, "models", report.models);
  if (memory) {
    const best = memory.find((n) => n.fits);
    const how = memory.map((n) => `${n.offload} ${formatBytes(n.bytes)}${n.fits ? "" : " (too much)"}`).join(", ");
    const verdict = best ? `fits, with --offload ${best.offload}` : "does not fit";
    say(`memory: weights take ${how}; a run may take ${formatBytes(room)} of this machine: it ${verdict}`);
  }
}

/** What a thing is good for. */
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
    adapter: `use it with --lora ${name}, or --distilled where it makes a model fast`,
    "learned word": `use it with --embedding ${name}`,
    measure: "it measures pictures",
  };
  const painted = kind === "pipeline" || kind === "checkpoint" ? missing.length === 0 : true;
  return [
    ...(painted ? [all[kind]] : []),
    ...(pairs.length > 0 ? [`named pairs of such a model (--pair NAME --base …): ${shown}`] : []),
  ];
}

function fits(terminal: Terminal, what: string, reports: readonly FitReport[]): void {
  if (reports.length === 0) return;
  terminal.say("");
  const rows = reports.map((r) => [r.ref, r.fits ? "yes" : "no", r.why]);
  terminal.say(table([[what, "fits", "why"], ...rows]));
}
