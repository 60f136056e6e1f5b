/** The commands that look and load nothing: `plan`, `models list`, `doctor`. */

import { type PairRow, pairNamed, readPairs } from "../catalogue/index.js";
import { diffusersScript } from "../convert/index.js";
import { RequestError } from "../errors.js";
import { type GenerateRequest, type MemoryNeed, memoryUses, planFor } from "../generate/index.js";
import type { DownloadOptions } from "../hub/index.js";
import { examine } from "../inspect/index.js";
import {
  knownPair,
  machineBudget,
  memoryNeedsOfFiles,
  memoryNeedsOfRow,
  type OpenOptions,
  openPlanSource,
  type PairReference,
  readFiles,
} from "../open/index.js";
import type { RuntimeOptions } from "../runtime/index.js";
import { describePlan } from "../sampling/index.js";
import { formatBytes } from "../tensor/index.js";
import { fetching } from "./fetching.js";
import { type Terminal, table } from "./terminal.js";

/** Prints the rows a run would take, as a table or as a script for diffusers. */
export async function runPlan(
  terminal: Terminal,
  models: PairReference & RuntimeOptions,
  request: GenerateRequest,
  as: "table" | "diffusers",
): Promise<void> {
  const source = await openPlanSource(models, { ...models, ...fetching(terminal) });
  if (as === "diffusers") {
    const { prompts } = request.prompts.length > 0 ? request : (source.row ?? request);
    if (!prompts[0]) throw new RequestError("--as diffusers needs a prompt");
    const script = diffusersScript(source, {
      ...request,
      prompts: request.prompts.length > 0 ? prompts : [prompts[0]],
    });
    terminal.emit({ type: "script", script });
    terminal.say(script.trimEnd());
    return;
  }
  const plan = planFor(source, request);
  terminal.emit({ type: "plan", ...plan });
  const { columns, rows } = describePlan(plan);
  terminal.say(table([columns, ...rows]));
}

/** Prints the named pairs. */
export async function runList(terminal: Terminal, pairs: string | undefined): Promise<void> {
  const rows = await readPairs(pairs);
  for (const row of rows) terminal.emit({ type: "pair", ...row });
  const head = ["pair", "what", "timesteps", "guidance", "pixels", "licence"];
  terminal.say(
    table([
      head,
      ...rows.map((row) => [
        row.name,
        row.about,
        timestepsOf(row),
        `${row.sampling.distilled.guidance}`,
        row.size ? `${row.size.width}` : "",
        row.licence,
      ]),
    ]),
  );
  terminal.say("");
  terminal.say("--pair NAME uses one; --json shows every field; --pairs FILE adds rows of your own.");
}

/** "LCM 999 749 499 249": the scheduler of a pair's distilled model and the timesteps it calls. */
function timestepsOf(row: PairRow): string {
  const { scheduler, timesteps, steps } = row.sampling.distilled;
  const known = knownPair(row);
  const called = known
    ? planFor(known, { mode: "distilled" }).rows.flatMap((r) => (r.kind === "step" ? [Math.round(r.timestep)] : []))
    : (timesteps ?? (steps ? [`${steps} steps`] : []));
  return [scheduler?.replace(/(Discrete)?Scheduler$/, "") ?? "its own", ...called].join(" ");
}

/** Prints what this machine can run, and in which way the pair fits its memory. */
export async function runDoctor(terminal: Terminal, models: PairReference & OpenOptions): Promise<void> {
  const report = await examine();
  const room = models.memoryBudget ?? machineBudget();
  const { name, needs } = await needsOf(models, fetching(terminal));
  const memory = needs && memoryUses(needs, room);
  terminal.emit({ type: "doctor", ...report, pair: name, needs: memory });
  terminal.say(
    `variegate ${report.versions.variegate} · Node ${report.versions.node} · ONNX Runtime ${report.versions.onnxruntime} · ${report.platform}`,
  );
  terminal.say(
    `${report.processors} processors (${report.processor}), ${formatBytes(report.memory)} memory, ${formatBytes(report.free)} free`,
  );
  terminal.say("");
  if (memory) {
    const rows = memory.map((n) => [n.offload, formatBytes(n.bytes), n.fits ? "yes" : "no"]);
    terminal.say(table([[`memory for ${name}`, "weights take", "fits"], ...rows]));
    terminal.say("");
  }
  terminal.say(
    table([
      ["device", "runs", "computes", "why"],
      ...report.devices.map((d) => [d.device, d.runs ? "yes" : "no", d.computes.join(", ") || "–", d.why]),
    ]),
  );
}

async function needsOf(
  models: PairReference & OpenOptions,
  options: DownloadOptions,
): Promise<{ name: string; needs: MemoryNeed[] | null }> {
  const row =
    models.base === undefined ? pairNamed(models.pair ?? "embedded", await readPairs(models.pairs)) : undefined;
  const known = row && models.distilled === undefined ? memoryNeedsOfRow(row, models.compute) : null;
  if (known) return { name: row?.name ?? "", needs: known };
  const files = await readFiles(models, { ...models, ...options });
  return { name: row?.name ?? files.base.ref, needs: await memoryNeedsOfFiles(files, models.compute) };
}
