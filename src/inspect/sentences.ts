/** A check report as sentences: what the reference is, what it lacks, how it is used, what fits it, whether it fits in memory. */
import { memoryUses } from "../generate/index.js";
import { formatBytes } from "../tensor/index.js";
import type { CheckReport } from "./check.js";

/** Maximum number of names in a list; --json prints all. */
const SHOWN = 12;

/** Options that accept the reference, and named pairs of the same architecture. */
export function usesOf({ kind, pairs, missing, ref }: CheckReport): string[] {
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

/** Memory under each loading strategy, and whether one fits the budget; null if the model cannot run on its own. */
export function memorySentence({ memory }: CheckReport, budget: number): string | null {
  const uses = memory && memoryUses(memory, budget);
  if (!uses) return null;
  const best = uses.find((n) => n.fits);
  const how = uses
    .map(({ offload, bytes, peak, fits }) => {
      const calls = peak === null ? "" : `, with calls about ${formatBytes(peak)}`;
      return `${offload} ${formatBytes(bytes)}${calls}${fits ? "" : " (too much)"}`;
    })
    .join("; ");
  const verdict = best ? `fits, with --offload ${best.offload}` : "does not fit";
  return `memory: weights take ${how}; the budget is ${formatBytes(budget)}: ${verdict}`;
}

/** The whole report as sentences. */
export function checkSentences(report: CheckReport, budget: number): string[] {
  const memory = memorySentence(report, budget);
  return [
    `${report.ref}: ${report.about || report.pipeline}`,
    ...report.because.map((why) => `because ${why}`),
    ...report.notes,
    ...report.missing.map((missing) => `cannot generate on its own: ${missing}`),
    ...usesOf(report),
    ...[...report.adapters, ...report.models].map(
      ({ ref, fits, why }) => `${ref} ${fits ? "fits" : "does not fit"}: ${why}`,
    ),
    ...(memory === null ? [] : [memory]),
  ];
}
