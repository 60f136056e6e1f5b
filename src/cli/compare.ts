/** `variegate compare`: base, distilled and hybrid side by side, as a table of measures and a contact sheet. */

import { pixelHash, type RecordedRun, recordedPng } from "../convert/index.js";
import { RequestError } from "../errors.js";
import { evaluate, type KeptDiversity, keptDiversity, type Summary, summarise } from "../evaluation/index.js";
import { formatJson } from "../files/index.js";
import {
  eventJson,
  type GenerateRequest,
  generate,
  type Milliseconds,
  plainPrompts,
  planFor,
  requestForMode,
  settingsFor,
} from "../generate/index.js";
import { describeRun } from "../inspect/index.js";
import { type Estimate, formatEstimate } from "../metrics/index.js";
import {
  type OpenedPair,
  type OpenOptions,
  openEvaluator,
  openPair,
  type PairReference,
  sourceFiles,
  withPromptEmbeddings,
} from "../open/index.js";
import { MODES, type Mode, planJson } from "../sampling/index.js";
import type { RgbImage } from "../tensor/index.js";
import { stepsOf } from "../trajectory/index.js";
import { fetching } from "./fetching.js";
import { warnOf } from "./notices.js";
import { type FolderOptions, openRunFolder, type RunFile, type RunFolder } from "./run-folder.js";
import { drawSheet } from "./sheet.js";
import { type Progress, type Terminal, table } from "./terminal.js";
import { tileOf } from "./units.js";

/** Images of one mode, and their cost. */
interface Outcome {
  readonly mode: Mode;
  /** images[p][i]: prompt p, i-th seed. */
  readonly images: readonly (readonly RgbImage[])[];
  readonly callsPerImage: number;
  readonly msPerImage: number;
  readonly milliseconds: Milliseconds;
}

export async function runCompare(
  terminal: Terminal,
  models: PairReference & OpenOptions & { clip?: string },
  given: GenerateRequest,
  options: FolderOptions,
  signal: AbortSignal,
): Promise<void> {
  const opened = await withPromptEmbeddings(models, given);
  const pair = await openPair(opened, { ...opened, ...fetching(terminal, signal) });
  const ended = new AbortController();
  try {
    if (!pair.distilled)
      throw new RequestError("compare needs a distilled model: name one with --distilled, or a --pair");
    const prompts = given.prompts.length > 0 ? given.prompts : (pair.row?.prompts ?? []);
    if (prompts.length === 0) throw new RequestError("compare needs a prompt");
    const seeds = given.seeds ?? [0];
    const requests = MODES.map((mode) => requestForMode(mode, { ...given, prompts, seeds }));
    const plans = requests.map((r) => planFor(pair, r));
    const evaluator = await openEvaluator(pair, models.clip);
    const folder = await openRunFolder("compare", { models, requests, plans }, options);
    const steps = plans.reduce((n, plan) => n + stepsOf(plan).length + 1, 0);
    const progress = terminal.progress(steps * prompts.length * seeds.length, "loading");
    const ticker = { ticks: 0 };
    const files: RunFile[] = [];
    const outcomes: Outcome[] = [];
    const machine = describeRun(pair);
    const sources = sourceFiles(pair, opened, given, ended.signal);
    sources.catch(() => {});
    for (const request of requests) {
      const run = { machine, models, request, sources };
      outcomes.push(await generateMode(pair, run, { terminal, folder, progress, ticker, files, signal }));
    }
    progress.update(ticker.ticks, "measuring");
    const rows = [];
    for (const outcome of outcomes) {
      const reading = evaluator && (await evaluate(evaluator, outcome.images, plainPrompts({ ...given, prompts })));
      rows.push({ outcome, summary: reading && summarise(reading), reading });
    }
    progress.stop();

    const sheet = await drawSheet(
      prompts.map((prompt, p) => ({
        title: prompt,
        columns: seeds.map((s) => `seed ${s}`),
        rows: outcomes.map((o) => ({ label: o.mode, images: o.images[p] ?? [] })),
      })),
    );
    files.push(await folder.write("sheet.png", sheet));
    const [first] = rows;
    const results = rows.map(({ outcome: { images: _, ...numbers }, summary, reading }) => ({
      ...numbers,
      ...summary,
      ...(reading && first?.reading && reading !== first.reading && { kept: keptDiversity(reading, first.reading) }),
    }));
    const settings = requests.map((r) => settingsFor(pair, r));
    const run = {
      ...machine,
      command: "compare",
      models,
      requests,
      settings,
      sources: await sources,
      plans: plans.map(planJson),
      results,
      files,
    };
    files.push(await folder.write("run.json", Buffer.from(formatJson(run))));
    for (const result of results) terminal.emit({ type: "result", ...result });
    terminal.emit({ type: "run", out: folder.dir, files });
    terminal.print(table([headOf(results), ...results.map(cells)]));
    terminal.print("");
    if (prompts.length > 1 && results.some((r) => r.kept)) {
      terminal.print(
        table([keptHead(results), ...results.flatMap((r) => (r.kept ? [keptCells(r.mode, r.kept)] : []))]),
      );
      terminal.print("");
    }
    terminal.print(`sheet   ${folder.dir}/sheet.png`);
    terminal.print(`images  ${folder.dir}/{base,distilled,hybrid}/`);
    terminal.print(`run     ${folder.dir}/run.json`);
  } finally {
    ended.abort();
    await pair.close();
  }
}

interface Output {
  readonly terminal: Terminal;
  readonly folder: RunFolder;
  readonly progress: Progress;
  readonly ticker: { ticks: number };
  readonly files: RunFile[];
  readonly signal: AbortSignal;
}

async function generateMode(pair: OpenedPair, run: RecordedRun, s: Output): Promise<Outcome> {
  const { request } = run;
  const mode = request.mode ?? "base";
  const images: RgbImage[][] = request.prompts.map(() => []);
  let calls = 0;
  let milliseconds: Milliseconds = { encode: 0, denoise: 0, decode: 0 };
  for await (const event of generate(pair, request, s.signal)) {
    s.terminal.emit({ mode, ...eventJson(event) });
    warnOf(s.terminal, event);
    if (event.type === "step") s.progress.update(++s.ticker.ticks, `${mode}: ${event.model} at ${event.timestep}`);
    if (event.type === "tile")
      s.progress.update(s.ticker.ticks + event.done / event.total, `${mode}: ${tileOf(event)}`);
    if (event.type === "image") {
      const { prompt, seed, image } = event;
      images[prompt]?.push(image);
      const name = request.prompts.length > 1 ? `${mode}/${prompt}-${seed}.png` : `${mode}/${seed}.png`;
      const written = await s.folder.write(name, await recordedPng(pair, run, event));
      const file = { ...written, pixels: pixelHash(image) };
      s.files.push(file);
      s.folder.log({ type: "image", mode, prompt, seed, ...file });
      s.progress.update(++s.ticker.ticks, `${mode}: ${name}`);
    }
    if (event.type === "done") ({ calls, milliseconds } = event);
  }
  const n = images.flat().length;
  const { denoise, decode } = milliseconds;
  return { mode, images, callsPerImage: calls / n, msPerImage: (denoise + decode) / n, milliseconds };
}

type Result = Omit<Outcome, "images"> & Partial<Summary> & { readonly kept?: KeptDiversity };

function headOf(results: readonly Result[]): string[] {
  const attributes = results.some((r) => r.attributes);
  return [
    "mode",
    "calls/image",
    "ms/image",
    "CLIP distance [95 %]",
    "CLIP score",
    ...(attributes ? ["classifier distance", "attribute accuracy", "entropy of free attributes"] : []),
  ];
}

const keptHead = (results: readonly Result[]): string[] => [
  "share of the base's diversity [95 %, over prompts]",
  "CLIP distance",
  ...(results.some((r) => r.attributes) ? ["classifier distance", "entropy of free attributes"] : []),
];

const keptCells = (mode: string, { distance, attributes }: KeptDiversity): string[] => [
  mode,
  formatEstimate(distance),
  ...(attributes ? [formatEstimate(attributes.distance), formatEstimate(attributes.entropy)] : []),
];

function cells(r: Result): string[] {
  const share = (e: Estimate | null) => (e === null ? "–" : `${(100 * e.mean).toFixed(0)} %`);
  return [
    r.mode,
    r.callsPerImage.toFixed(0),
    r.msPerImage.toFixed(1),
    formatEstimate(r.distance),
    r.clipScore ? r.clipScore.mean.toFixed(1) : "–",
    ...(r.attributes
      ? [formatEstimate(r.attributes.distance), share(r.attributes.accuracy), r.attributes.entropy.mean.toFixed(2)]
      : []),
  ];
}
