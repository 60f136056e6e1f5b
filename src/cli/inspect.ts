/** `variegate plan`, `models list` and `doctor`: commands that load no model. */

import { type PairRow, pairNamed } from "../catalogue/index.js";
import { readPairs } from "../catalogue/node/index.js";
import { comfyWorkflow, diffusersScript } from "../convert/index.js";
import { RequestError } from "../errors.js";
import {
  describeSettings,
  formIn,
  type GenerateRequest,
  guessedSchedule,
  type MemoryNeed,
  memoryUses,
  planFor,
  settingsFor,
  uncalibrated,
  unusedAdapters,
} from "../generate/index.js";
import type { DownloadOptions } from "../hub/index.js";
import { chromiumSentence, examine } from "../inspect/index.js";
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
import { checkGroup, describePlan, settledMethods } from "../sampling/index.js";
import { counted, formatBytes } from "../tensor/index.js";
import { fetching } from "./fetching.js";
import { columnsOf } from "./table.js";
import type { Terminal } from "./terminal.js";

/** Forms in which `plan` prints a plan. */
export type PlanForm = "table" | "diffusers" | "comfyui";

/** Prints the plan of a request: where its settings come from, as tables; a Python script for diffusers; or a workflow for ComfyUI. */
export async function runPlan(
  terminal: Terminal,
  models: PairReference & RuntimeOptions,
  request: GenerateRequest,
  as: PlanForm,
): Promise<void> {
  const source = await openPlanSource(models, { ...models, ...fetching(terminal) });
  for (const text of [guessedSchedule(source, request), uncalibrated(source, request)]) {
    if (text !== null) terminal.warn(text);
  }
  if (as !== "table") {
    const prompts = request.prompts.length > 0 ? request.prompts : (source.row?.prompts.slice(0, 1) ?? []);
    if (prompts.length === 0) throw new RequestError(`--as ${as} needs a prompt`);
    await WRITERS[as](terminal, source, { ...request, prompts }, models);
    return;
  }
  const plan = planFor(source, request);
  checkGroup(settledMethods(request.diversity), request.seeds?.length ?? 2);
  const settings = settingsFor(source, request);
  for (const text of unusedAdapters(models.adapters, plan)) terminal.warn(text);
  terminal.emit({ type: "plan", settings, ...plan });
  const { columns, rows } = describePlan(plan);
  terminal.table(
    columnsOf(columns, {
      predicts: { drop: 1 },
      "level out (t / σ)": { drop: 2 },
      guidance: { drop: 3 },
      diversity: { text: true },
    }),
    rows,
  );
  terminal.print("");
  const origins = describeSettings(settings);
  terminal.table(columnsOf(origins.columns, { from: { text: true } }), origins.rows);
}

type Writer = (
  terminal: Terminal,
  source: Awaited<ReturnType<typeof openPlanSource>>,
  request: GenerateRequest,
  models: PairReference,
) => Promise<void>;

const WRITERS: { readonly [F in Exclude<PlanForm, "table">]: Writer } = {
  async diffusers(terminal, source, request, models) {
    const script = await diffusersScript(source, request, models);
    terminal.emit({ type: "script", script });
    terminal.print(script.trimEnd());
  },
  async comfyui(terminal, source, request, models) {
    const made = await comfyWorkflow(source, request, models);
    for (const { path, ref } of made.files) terminal.warn(`ComfyUI loads models/${path}: ${ref}`);
    for (const notice of made.notices) terminal.warn(notice);
    terminal.emit({ type: "workflow", ...made });
    terminal.print(JSON.stringify(made.workflow, null, 2));
  },
};

/** Prints the named pairs. */
export async function runList(terminal: Terminal, pairs: string | undefined): Promise<void> {
  const rows = await readPairs(pairs);
  for (const row of rows) terminal.emit({ type: "pair", ...row });
  terminal.table(
    [
      { title: "pair", of: (row) => row.name },
      { title: "description", of: (row) => row.about, text: true },
      { title: "timesteps", of: timestepsOf, text: true, drop: 4 },
      { title: "guidance", of: (row) => `${row.sampling.distilled.guidance}`, drop: 3 },
      { title: "pixels", of: (row) => (row.size ? `${row.size.width}` : ""), drop: 2 },
      { title: "licence", of: (row) => row.licence, drop: 1 },
    ],
    rows,
  );
  terminal.print("");
  terminal.print("--pair NAME selects a pair, --json prints every field, --pairs FILE adds pairs.");
}

/** Scheduler and timesteps of a pair's distilled model, such as "LCM 999 749 499 249". */
function timestepsOf(row: PairRow): string {
  const { scheduler, timesteps, steps } = row.sampling.distilled;
  const known = knownPair(row);
  const called = known
    ? planFor(known, { mode: "distilled" }).rows.flatMap((r) => (r.kind === "step" ? [Math.round(r.timestep)] : []))
    : (timesteps ?? (steps ? [counted(steps, "step")] : []));
  return [scheduler?.replace(/(Discrete)?Scheduler$/, "") ?? "own scheduler", ...called].join(" ");
}

/** Memory of usual machines, in GB. */
const MACHINES = [8, 16, 24, 32];

/** Prints the devices of this machine, and the loading strategies under which the pair fits its memory. */
export async function runDoctor(terminal: Terminal, models: PairReference & OpenOptions): Promise<void> {
  const report = await examine();
  const budget = models.memoryBudget ?? machineBudget();
  const { name, needs } = await needsOf(models, fetching(terminal));
  const usesIn = (all: readonly MemoryNeed[], bytes: number) =>
    memoryUses(all, bytes, formIn(all, bytes, models.upcast));
  const memory =
    needs &&
    usesIn(needs, budget).map((use, i) => ({
      ...use,
      machines: MACHINES.filter((gigabytes) => usesIn(needs, machineBudget(gigabytes * 1e9))[i]?.fits),
    }));
  terminal.emit({ type: "doctor", ...report, pair: name, needs: memory });
  terminal.print(
    `variegate ${report.versions.variegate} · Node ${report.versions.node} · ONNX Runtime ${report.versions.onnxruntime} · ${report.platform}`,
  );
  terminal.print(
    `${counted(report.processors, "processor")} (${report.processor}), ${formatBytes(report.memory)} memory, ${formatBytes(report.free)} free`,
  );
  terminal.print("");
  if (memory) {
    const rows = memory.map((n) => [
      ...[n.offload, formatBytes(n.bytes), n.peak === null ? "–" : formatBytes(n.peak), n.fits ? "yes" : "no"],
      ...MACHINES.map((gigabytes) => (n.machines.includes(gigabytes) ? "yes" : "no")),
    ]);
    const titles = [
      `memory for ${name}`,
      "weights take",
      "with calls",
      "fits here",
      ...MACHINES.map((gigabytes) => `${gigabytes} GB`),
    ];
    terminal.table(columnsOf(titles), rows);
    terminal.print("");
  }
  terminal.table(
    [
      { title: "device", of: (d) => d.device },
      { title: "runs", of: (d) => (d.runs ? "yes" : "no") },
      { title: "compute types", of: (d) => d.computes.join(", ") || "–", drop: 1 },
      { title: "reason", of: (d) => d.why, text: true },
    ],
    report.devices,
  );
  terminal.print("");
  terminal.print(chromiumSentence(report.chromium));
}

async function needsOf(
  models: PairReference & OpenOptions,
  options: DownloadOptions,
): Promise<{ name: string; needs: MemoryNeed[] | null }> {
  const row =
    models.base === undefined ? pairNamed(models.pair ?? "embedded", await readPairs(models.pairs)) : undefined;
  // What is fastest here is not measured for an estimate.
  const compute = models.compute === "auto" ? undefined : models.compute;
  const known = row && models.distilled === undefined ? memoryNeedsOfRow(row, compute) : null;
  if (known) return { name: row?.name ?? "", needs: known };
  const files = await readFiles(models, { ...models, ...options });
  return { name: row?.name ?? files.base.ref, needs: await memoryNeedsOfFiles(files, compute, models.device) };
}
