/** `variegate adapter`: inspects, converts, merges and extracts adapters. */
import { existsSync } from "node:fs";
import path from "node:path";
import { adapterFacts, adapterTensors, type Dialect, LARGEST_RANK } from "../adapters/index.js";
import { pairNamed } from "../catalogue/index.js";
import { DISTILLED_KEY, readPairs } from "../catalogue/node/index.js";
import { safetensors } from "../checkpoint/index.js";
import { type ExtractedLayer, type ExtractRequest, extractAdapter, mergeAdapters } from "../convert/index.js";
import { RequestError } from "../errors.js";
import { writeWhole } from "../files/index.js";
import type { SearchPath } from "../lookup/index.js";
import { mean } from "../metrics/index.js";
import { inspectAdapter, layersIn, openAdapter, openPair, type PairReference } from "../open/index.js";
import type { RuntimeOptions } from "../runtime/index.js";
import { openRuntime } from "../runtime/node/index.js";
import { counted, formatBytes } from "../tensor/index.js";
import { fetching } from "./fetching.js";
import { columnsOf } from "./table.js";
import type { Progress, Terminal } from "./terminal.js";

/** Prints what an adapter file holds, and the layers of the pair's base that it changes if it fits. */
export async function runInspect(terminal: Terminal, models: PairReference, file: string): Promise<void> {
  const pair = await openPair(models, fetching(terminal));
  try {
    const { description, adapter, problem } = await inspectAdapter(pair, file);
    const facts = adapter && adapterFacts(adapter);
    const fits = facts !== null && facts.unmatched.length === 0;
    terminal.emit({ type: "adapter", ...description, ...facts, model: pair.base.ref, fits, problem });
    const { kinds, dialects, ranks, alphas, parameters, layers, about } = { ...description, ...facts };
    const byKind = Object.entries(kinds).map(([kind, n]) => `${n} × ${kind}`);
    const shown = alphas.slice(0, 6).map((a) => (a === null ? "none" : `${Number(a.toPrecision(6))}`));
    terminal.print(`${file}: ${about}`);
    terminal.print([byKind.join(", "), dialects.join(", ")].filter((text) => text !== "").join(" · "));
    terminal.print(
      `rank ${ranks ? [...new Set(ranks)].join(" to ") : "–"} · alpha ${shown.join(", ") || "–"} · ${parameters} parameters`,
    );
    terminal.print("");
    if (facts === null) {
      const parts = Object.entries(layers).map(([part, n]) => `${n} in ${part}`);
      if (description.family !== null) terminal.print(`layers: ${parts.join(", ")}`);
      terminal.print(`on ${pair.base.ref}: ${problem}`);
      return;
    }
    terminal.table(
      columnsOf(["part", "layers", "down", "mid", "up", "other"]),
      facts.targets.map(({ part, layers: all, blocks }) => [
        part,
        ...[all, blocks.down, blocks.mid, blocks.up, blocks.other].map(String),
      ]),
    );
    terminal.print("");
    const left = fits
      ? "all keys match"
      : `${counted(facts.unmatched.length, "key matches", "keys match")} no layer: ${facts.unmatched.slice(0, 3).join(", ")}`;
    terminal.print(`on ${pair.base.ref}: ${left}; ${counted(facts.untouched, "layer is", "layers are")} not changed`);
  } finally {
    await pair.close();
  }
}

/** Writes the adapter in another dialect. */
export async function runConvert(
  terminal: Terminal,
  models: PairReference,
  file: string,
  to: Dialect,
  out: string,
): Promise<void> {
  mustBeSafetensors(out);
  const pair = await openPair(models, fetching(terminal));
  try {
    const tensors = adapterTensors(await openAdapter(pair, file), to, await layersIn(pair));
    await writeWhole(out, safetensors(tensors, { format: "pt" }));
    terminal.emit({ type: "converted", file, to, out, tensors: Object.keys(tensors).length });
    terminal.print(out);
  } finally {
    await pair.close();
  }
}

/** Options of `adapter extract`. */
export interface ExtractOptions {
  readonly from: string;
  readonly to: string;
  readonly rank?: number;
  readonly energy?: number;
  readonly exact?: boolean;
  readonly biases?: boolean;
  readonly dialect?: Dialect;
}

/** A reference for a file that may be published: of a path, only the name of the file or folder. */
const publicName = (ref: string): string => (existsSync(ref) ? path.basename(ref) : ref);

/** Writes the difference of two models as an adapter. */
export async function runExtract(
  terminal: Terminal,
  given: ExtractOptions,
  out: string,
  options: RuntimeOptions & SearchPath,
  signal: AbortSignal,
): Promise<void> {
  const { from, to, rank, energy, exact = false, biases = false, dialect = "kohya" } = given;
  mustBeSafetensors(out);
  if (exact && (rank !== undefined || energy !== undefined)) {
    throw new RequestError("--exact keeps the full difference and excludes --rank and --energy");
  }
  const ranks = { rank: rank ?? (energy === undefined ? 64 : LARGEST_RANK), energy: energy ?? 1 };
  const request: ExtractRequest = { from, to, keep: exact ? null : ranks, biases };
  if ((exact || biases) && dialect === "peft")
    throw new RequestError(
      "--exact and --biases write full differences, which PEFT has no keys for; use --dialect kohya",
    );
  const runtime = openRuntime(options);
  let progress: Progress | undefined;
  try {
    const extracted = await extractAdapter(
      request,
      runtime,
      (done, total, layer) => {
        progress ??= terminal.progress(total, layer);
        progress.update(done, layer);
      },
      { ...(options.modelFolders && { modelFolders: options.modelFolders }), ...fetching(terminal, signal) },
    );
    progress?.stop();
    const { adapter, layers, kept, beyond } = extracted;
    const tensors = adapterTensors(adapter, dialect, extracted.model);
    await writeWhole(out, safetensors(tensors, { format: "pt", [DISTILLED_KEY]: publicName(to) }));
    const bytes = Object.values(tensors).reduce((n, t) => n + t.data.byteLength, 0);
    terminal.emit({ type: "extracted", from: from, to, out, bytes, kept, beyond, layers });
    terminal.table(
      columnsOf(["part", "layers", "rank", "relative change", "kept", "least kept"], {
        "relative change": { drop: 1 },
        "least kept": { drop: 2, text: true },
      }),
      summaryOf(layers),
    );
    terminal.print("");
    const missed =
      request.keep && !request.biases ? ", which a LoRA does not contain (--biases adds biases and norms)" : "";
    terminal.print(
      `kept ${percent(kept)} of the difference; ${percent(beyond)} of it lies in biases, norms and embeddings${missed}`,
    );
    terminal.print(`${out} (${formatBytes(bytes)})`);
  } finally {
    await runtime.close();
  }
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** One row for each kind of layer: range of ranks, mean change, mean kept share, and the layer with the least kept. */
function summaryOf(layers: readonly ExtractedLayer[]): string[][] {
  const kinds = new Map<string, ExtractedLayer[]>();
  for (const layer of layers) {
    const place = /^(down_blocks|mid_block|up_blocks)/.exec(layer.layer)?.[1] ?? "other";
    const kind = `${layer.part} ${layer.part === "unet" ? place : "all"}`;
    kinds.set(kind, [...(kinds.get(kind) ?? []), layer]);
  }
  return [...kinds].map(([kind, all]) => {
    const ranks = all.flatMap((l) => l.rank ?? []);
    const worst = all.reduce((a, b) => (b.kept < a.kept ? b : a));
    return [
      kind,
      String(all.length),
      ranks.length === 0 ? "full" : `${Math.min(...ranks)} to ${Math.max(...ranks)}`,
      percent(mean(all.map((l) => l.change))),
      percent(mean(all.map((l) => l.kept))),
      `${worst.layer} (${percent(worst.kept)})`,
    ];
  });
}

function mustBeSafetensors(out: string): void {
  if (!/\.safetensors$/i.test(out)) throw new RequestError(`--out ${out}: expected a name that ends in .safetensors`);
}

/** Writes a model with adapters merged into its weights. */
export async function runMerge(
  terminal: Terminal,
  { pair = "embedded", pairs, adapters = [], modelFolders, variant, ...models }: PairReference,
  out: string,
): Promise<void> {
  if (adapters.length === 0) throw new RequestError("nothing to merge: name adapters with --lora FILE[:scale]");
  const foreign = adapters.find(({ on }) => on === "distilled");
  if (foreign) throw new RequestError(`--lora-distilled ${foreign.ref}: only the base is merged; use --lora`);
  const base = models.base ?? pairNamed(pair, await readPairs(pairs)).base;
  let progress: Progress | undefined;
  const onMerged = (done: number, total: number) => {
    progress ??= terminal.progress(total, "merging");
    progress.update(done, "merging");
  };
  const merged = await mergeAdapters(base, adapters, out, onMerged, {
    ...(modelFolders && { modelFolders }),
    ...(variant && { variant }),
    ...fetching(terminal),
  });
  progress?.stop();
  terminal.emit({ type: "merged", ...merged });
  for (const { part, layers } of merged.parts) terminal.print(`${part}: ${counted(layers, "layer")} changed`);
  terminal.print(merged.folder);
}
