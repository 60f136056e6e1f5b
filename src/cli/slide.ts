/** `variegate slide`: one prompt at every scale of a slider in each mode, as images, strips, a page and measures. */

import { type Slide, type SlideEvent, type SlideRequest, slide, slideRequests } from "../control/index.js";
import type { RecordedRun } from "../convert/index.js";
import { type GenerateRequest, planFor, settingsFor, unusedAdapters, withCalibrated } from "../generate/index.js";
import { describeRun } from "../inspect/index.js";
import { formatEstimate } from "../metrics/index.js";
import {
  type OpenedPair,
  type OpenOptions,
  openPair,
  type PairReference,
  sourceFiles,
  withPromptEmbeddings,
} from "../open/index.js";
import type { Mode } from "../sampling/index.js";
import { stepsOf } from "../trajectory/index.js";
import { fetching } from "./fetching.js";
import { slidePage } from "./page.js";
import { followRows, type Output, type Row } from "./rows.js";
import { openResumableFolder, type ResumeOptions, type RunFile, type RunFolder } from "./run-folder.js";
import { resumed, type SampleImage } from "./samples.js";
import { drawSheet } from "./sheet.js";
import type { Column } from "./table.js";
import type { Terminal } from "./terminal.js";

type Done = Extract<SlideEvent, { readonly type: "slide" }>;

export async function runSlide(
  terminal: Terminal,
  models: PairReference & OpenOptions,
  request: SlideRequest,
  options: ResumeOptions,
  signal: AbortSignal,
): Promise<void> {
  const opened = await withPromptEmbeddings(models, { ...request, prompts: [request.prompt] });
  const pair = await openPair(opened, { ...opened, ...fetching(terminal, signal) });
  const ended = new AbortController();
  try {
    await pair.openAdapter(request.slider, { allowUnmatched: request.allowUnmatched ?? false });
    const asked = slideRequests(pair, request);
    const plans = asked.map((r) => planFor(pair, r));
    for (const text of unusedAdapters(models.adapters, ...plans)) terminal.warn(text);
    const folder = await openResumableFolder("slide", { models, request, plans }, options);
    const machine = describeRun(pair);
    // Records hold what a calibration of this machine decided.
    const requests = asked.map((r) => withCalibrated(pair, r));
    const sources = sourceFiles(pair, opened, requests[0] ?? { prompts: [] }, ended.signal);
    sources.catch(() => {});
    const runs = requests.map((own): RecordedRun => ({ machine, models, request: own, sources }));
    const { done, images } = await generateAll(pair, request, runs, { terminal, folder, signal });
    const settings = asked.map((r) => settingsFor(pair, r));
    const record = { ...machine, models, requests, settings, sources: await sources };
    const files = await write(folder, done, images, record);
    terminal.emit({ type: "slide", ...done.slide });
    terminal.emit({ type: "run", out: folder.dir, files });
    printSummary(terminal, folder.dir, done.slide, request.clip === "none");
  } finally {
    ended.abort();
    await pair.close();
  }
}

/** Reads the images that the folder keeps, generates the others, and measures all. A file is `mode/seed_scale.png`. */
async function generateAll(
  pair: OpenedPair,
  request: SlideRequest,
  runs: readonly RecordedRun[],
  output: Output,
): Promise<{ readonly done: Done; readonly images: readonly SampleImage[] }> {
  const { scales } = request;
  const images: SampleImage[] = [];
  const rows = new Map<Mode, Row>();
  let ticks = 0;
  for (const run of runs) {
    const { mode = "base", seeds = [0] } = run.request;
    const row: Row = { name: mode, run, fileOf: ({ prompt, seed }) => `${mode}/${seed}_${scales[prompt]}.png` };
    const samples = seeds.flatMap((seed) => scales.map((_, prompt) => ({ prompt, seed })));
    const plan = planFor(pair, run.request);
    const { kept, left } = await resumed(output.folder, { mode, plan, samples }, row.fileOf);
    images.push(...kept);
    rows.set(mode, row);
    ticks += left.length * (stepsOf(plan).length + 1);
  }
  const follower = followRows(pair, output, ticks);
  for await (const event of slide(pair, request, output.signal, [...images])) {
    if (event.type === "slide") {
      follower.end();
      return { done: event, images };
    }
    const row = rows.get(event.mode);
    const made = row && (await follower.follow(row, event));
    if (made) images.push(made);
  }
  throw new Error("slide ended without its last event");
}

/** Facts of the run, the request and settings of each mode, and the model files. */
interface Facts extends ReturnType<typeof describeRun> {
  readonly requests: readonly GenerateRequest[];
}

async function write(
  folder: RunFolder,
  { slide: measures, strips }: Done,
  images: readonly SampleImage[],
  run: Facts,
): Promise<RunFile[]> {
  const sheet = await drawSheet(
    measures.rows.map(({ mode }) => ({
      title: `${measures.prompt}: ${mode}`,
      columns: measures.scales.map(String),
      rows: strips.filter((s) => s.mode === mode).map((s) => ({ label: `seed ${s.seed}`, images: s.images })),
    })),
  );
  const order = (a: RunFile, b: RunFile) => (a.file < b.file ? -1 : 1);
  const files = [
    ...images.map(({ file }) => file).sort(order),
    await folder.write("strips.png", sheet),
    await folder.write("slide.html", Buffer.from(await slidePage(measures, strips, run))),
  ];
  const json = JSON.stringify({ ...run, ...measures, files }, null, 1);
  return [...files, await folder.write("slide.json", Buffer.from(`${json}\n`))];
}

/** Prints the classifier's attributes first, which see what a slider changes; columns without a value are left out. Pixels are compared where CLIP's features are not. */
function printSummary(
  terminal: Terminal,
  dir: string,
  { rows, concept, reference }: Slide,
  withoutClip: boolean,
): void {
  const readings = Object.keys(rows[0]?.stops[0]?.readings ?? {});
  const stops = rows.flatMap(({ mode, stops: own }) => own.map((stop) => ({ mode, ...stop })));
  type Stop = (typeof stops)[number];
  const one = (e: Stop["change"]) => formatEstimate(e, (v) => v.toFixed(1));
  const columns: Column<Stop>[] = [
    { title: "mode", of: (s) => s.mode },
    { title: "scale", of: (s) => String(s.scale) },
    ...readings.map((name) => ({ title: `${name} (classifier)`, of: (s: Stop) => formatEstimate(s.readings[name]) })),
    { title: "CLIP score to the concept", of: (s) => one(s.clipScore) },
    { title: "change, %", of: (s) => one(s.change), drop: 1 },
    { title: "distance to scale 0", of: (s) => formatEstimate(s.distance), drop: 2 },
    // Beside a CLIP's distance, this one only takes room.
    {
      title: `pixel distance to scale ${reference}`,
      of: (s) => (s.distance === null ? formatEstimate(s.pixels) : "–"),
      drop: 3,
    },
  ];
  terminal.table(
    columns.filter((c) => stops.some((s) => c.of(s) !== "–")),
    stops,
  );
  terminal.print("");
  if (concept !== null && readings.length > 0)
    terminal.print(
      "CLIP compares the whole image with the text; where it and the classifier disagree, the classifier sees the attribute.",
    );
  const withoutClipText = withoutClip ? " with a CLIP, which --clip names" : "";
  if (concept === null) terminal.print(`--concept "…" measures the CLIP score to a text${withoutClipText}`);
  terminal.print(`page    ${dir}/slide.html`);
  terminal.print(`strips  ${dir}/strips.png`);
  for (const { mode } of rows) terminal.print(`images  ${dir}/${mode}/`);
  terminal.print(`numbers ${dir}/slide.json`);
}
