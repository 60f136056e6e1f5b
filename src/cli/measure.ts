/** `variegate measure`: measures folders of images and writes a table, a JSON object and a page. */
import path from "node:path";
import { versions } from "../inspect/index.js";
import { type Measure, type Measurement, type MeasureRequest, measure, measurePage } from "../measure/index.js";
import { formatEstimate } from "../metrics/index.js";
import type { RuntimeOptions } from "../runtime/index.js";
import { counted } from "../tensor/index.js";
import { fetching } from "./fetching.js";
import { type FolderOptions, openRunFolder, type RunFolder } from "./run-folder.js";
import { columnsOf } from "./table.js";
import { phases, type Terminal } from "./terminal.js";

export async function runMeasure(
  terminal: Terminal,
  request: MeasureRequest,
  runtime: RuntimeOptions,
  options: FolderOptions,
  signal: AbortSignal,
): Promise<void> {
  const progress = phases(terminal);
  let out: RunFolder | undefined;
  const result = await measure(request, runtime, {
    ...fetching(terminal, signal),
    onReady: async () => {
      out = await openRunFolder("measure", request, options);
    },
    onProgress: progress.update,
    onMessage: (text) => terminal.warn(text),
  });
  progress.stop();
  const folder = out ?? (await openRunFolder("measure", request, options));
  const { instruments, notes, folders, selfCheck } = result;
  const object = {
    command: "measure",
    versions: versions(),
    request,
    instruments,
    notes,
    selfCheck,
    folders: folders.map((f) => f.measured),
  };
  const json = `${JSON.stringify(object, null, 2)}\n`;
  await folder.write("measures.json", Buffer.from(json));
  if (selfCheck) await folder.write("self-check.json", Buffer.from(`${JSON.stringify(selfCheck, null, 2)}\n`));
  const command = ["variegate measure", ...request.folders, ...argumentsOf(request)].join(" ");
  const page = await measurePage({ command, instruments, notes, versions: { ...versions() }, folders });
  await folder.write("report.html", Buffer.from(page));
  terminal.emit(object);
  const { head, rows } = tableOf(result);
  terminal.table(columnsOf(head, { better: { drop: 1 } }), rows);
  terminal.print("");
  for (const warning of warningsOf(result)) terminal.print(warning);
  for (const note of notes) terminal.print(note);
  for (const { measured } of folders) {
    if (measured.skipped.length > 0)
      terminal.print(`${measured.folder}: ${counted(measured.skipped.length, "image")} skipped`);
  }
  terminal.print(`numbers ${folder.dir}/measures.json`);
  terminal.print(`page    ${folder.dir}/report.html`);
}

/** Options of a request as command-line arguments. */
const argumentsOf = ({ folders: _, ...o }: MeasureRequest): string[] =>
  Object.entries(o).map(([k, v]) => {
    const name = `--${k.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;
    return v === true ? name : `${name} ${String(v)}`;
  });

/** One row for each measure, one column for each folder. */
function tableOf({ folders }: Measurement): { readonly head: string[]; readonly rows: string[][] } {
  const ids = [...new Set(folders.flatMap(({ measured }) => measured.measures.map((m) => m.id)))];
  const names = folders.map(({ measured }) => path.basename(measured.folder));
  const distinct = new Set(names).size === names.length;
  const named = distinct ? names : folders.map(({ measured }) => measured.folder);
  const head = ["measure", ...(folders.length > 1 ? named : ["value [95 %]"]), "better"];
  const rows = ids.map((id) => {
    const found = folders.map(({ measured }) => measured.measures.find((m) => m.id === id));
    return [id, ...found.map(cell), found.find((m) => m)?.better ?? ""];
  });
  return { head, rows };
}

/** Value with its interval, the number of seeds for entropies, which depend on it, and the share of the base's. */
function cell(m: Measure | undefined): string {
  const value = formatEstimate(m?.value, (v) => (Math.abs(v) >= 100 ? v.toFixed(1) : v.toFixed(3)));
  const share = m?.share ? `; ${formatEstimate(m.share, (v) => v.toFixed(2))} of the base's` : "";
  return `${value}${m?.kind === "semantic" ? `, ${m.seeds} seeds` : ""}${share}`;
}

/** Warnings without repetition, each with its measures. */
function warningsOf({ folders }: Measurement): string[] {
  const about = new Map<string, Set<string>>();
  for (const { measured } of folders) {
    for (const { id, warnings } of measured.measures) {
      for (const w of warnings) about.set(w, (about.get(w) ?? new Set()).add(id));
    }
  }
  return [...about].map(([warning, ids]) => `${[...ids].join(", ")}: ${warning}`);
}
