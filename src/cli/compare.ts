/** `variegate compare`: base, distilled and hybrid side by side, as a table of numbers and one contact sheet. */

import { RequestError } from "../errors.js";
import { type Kept, keptVariety, openScorer, summarise } from "../evaluation/index.js";
import { encodePng } from "../files/index.js";
import {
  eventJson,
  type GenerateRequest,
  generate,
  type Milliseconds,
  type Pair,
  planFor,
  requestForMode,
} from "../generate/index.js";
import { describeRun } from "../inspect/index.js";
import { type Estimate, formatEstimate } from "../metrics/index.js";
import { type OpenOptions, openPair, type PairReference } from "../open/index.js";
import type { Mode } from "../sampling/index.js";
import type { RgbImage } from "../tensor/index.js";
import { stepsOf } from "../trajectory/index.js";
import { fetching } from "./fetching.js";
import { type FolderOptions, openRunFolder, type RunFile, type RunFolder } from "./run-folder.js";
import { drawSheet } from "./sheet.js";
import { type Progress, type Terminal, table } from "./terminal.js";
import { tileOf } from "./words.js";

const MODES: readonly Mode[] = ["base", "distilled", "hybrid"];

/** What one mode painted and what it cost. */
interface Outcome {
  readonly mode: Mode;
  /** images[p][i]: prompt p, seed i. */
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
  const pair = await openPair(models, { ...models, ...fetching(terminal, signal) });
  try {
    if (!pair.distilled)
      throw new RequestError("compare needs a distilled model: name one with --distilled, or a --pair");
    const prompts = given.prompts.length > 0 ? given.prompts : (pair.row?.prompts ?? []);
    if (prompts.length === 0) throw new RequestError("compare needs a prompt");
    const seeds = given.seeds ?? [0, 1, 2, 3, 4, 5, 6, 7];
    const requests = MODES.map((mode) => requestForMode(mode, { ...given, prompts, seeds }));
    const plans = requests.map((r) => planFor(pair, r));
    const scorer = await openScorer(pair, models.clip);
    const folder = await openRunFolder("compare", { models, requests, plans }, options);
    const steps = plans.reduce((n, plan) => n + stepsOf(plan).length + 1, 0);
    const progress = terminal.progress(steps * prompts.length * seeds.length, "loading");
    const ticker = { ticks: 0 };
    const files: RunFile[] = [];
    const outcomes: Outcome[] = [];
    for (const request of requests) {
      outcomes.push(await paint(pair, request, { terminal, folder, progress, ticker, files, signal }));
    }
    progress.update(ticker.ticks, "measuring");
    const rows = [];
    for (const outcome of outcomes) {
      const reading = scorer ? await scorer.read(outcome.images, prompts) : null;
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
      ...(reading && first?.reading && reading !== first.reading && { kept: keptVariety(reading, first.reading) }),
    }));
    const run = { ...describeRun(pair), command: "compare", models, requests, plans, results, files };
    files.push(await folder.write("run.json", Buffer.from(`${JSON.stringify(run, null, 2)}\n`)));
    for (const result of results) terminal.emit({ type: "result", ...result });
    terminal.emit({ type: "run", out: folder.dir, files });
    terminal.say(table([headOf(results), ...results.map(cells)]));
    terminal.say("");
    if (prompts.length > 1 && results.some((r) => r.kept)) {
      terminal.say(table([keptHead(results), ...results.flatMap((r) => (r.kept ? [keptCells(r.mode, r.kept)] : []))]));
      terminal.say("");
    }
    terminal.say(`sheet   ${folder.dir}/sheet.png`);
    terminal.say(`images  ${folder.dir}/{base,distilled,hybrid}/`);
    terminal.say(`run     ${folder.dir}/run.json`);
  } finally {
    await pair.close();
  }
}

interface Studio {
  readonly terminal: Terminal;
  readonly folder: RunFolder;
  readonly progress: Progress;
  readonly ticker: { ticks: number };
  readonly files: RunFile[];
  readonly signal: AbortSignal;
}

async function paint(pair: Pair, request: GenerateRequest, s: Studio): Promise<Outcome> {
  const mode = request.mode ?? "base";
  const images: RgbImage[][] = request.prompts.map(() => []);
  let calls = 0;
  let milliseconds: Milliseconds = { encode: 0, denoise: 0, decode: 0 };
  for await (const event of generate(pair, request, s.signal)) {
    s.terminal.emit({ mode, ...eventJson(event) });
    if (event.type === "adjusted") for (const why of event.why) s.terminal.note(why);
    if (event.type === "step") s.progress.update(++s.ticker.ticks, `${mode}: ${event.model} at ${event.timestep}`);
    if (event.type === "tile")
      s.progress.update(s.ticker.ticks + event.done / event.total, `${mode}: ${tileOf(event)}`);
    if (event.type === "image") {
      const { prompt, seed, image } = event;
      images[prompt]?.push(image);
      const name = request.prompts.length > 1 ? `${mode}/${prompt}-${seed}.png` : `${mode}/${seed}.png`;
      const made = { prompt: request.prompts[prompt], seed, mode };
      const file = await s.folder.write(name, await encodePng(image, { variegate: made }));
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

type Result = Omit<Outcome, "images"> & Partial<ReturnType<typeof summarise>> & { readonly kept?: Kept };

function headOf(results: readonly Result[]): string[] {
  const factors = results.some((r) => r.factors);
  return [
    "mode",
    "calls/image",
    "ms/image",
    "CLIP distance [95 %]",
    "adherence",
    ...(factors ? ["judge's distance", "named factors right", "entropy of free factors"] : []),
  ];
}

const keptHead = (results: readonly Result[]): string[] => [
  "of the base's variety [95 %, over prompts]",
  "CLIP distance",
  ...(results.some((r) => r.factors) ? ["judge's distance", "entropy of free factors"] : []),
];

const keptCells = (mode: string, { distance, factors }: Kept): string[] => [
  mode,
  formatEstimate(distance),
  ...(factors ? [formatEstimate(factors.distance), formatEstimate(factors.entropy)] : []),
];

function cells(r: Result): string[] {
  const share = (e: Estimate | null) => (e === null ? "–" : `${(100 * e.mean).toFixed(0)} %`);
  return [
    r.mode,
    r.callsPerImage.toFixed(0),
    r.msPerImage.toFixed(1),
    formatEstimate(r.distance),
    r.adherence ? r.adherence.mean.toFixed(3) : "–",
    ...(r.factors
      ? [formatEstimate(r.factors.distance), share(r.factors.namedRight), r.factors.entropy.mean.toFixed(2)]
      : []),
  ];
}
