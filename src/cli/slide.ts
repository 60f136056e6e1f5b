/** `variegate slide`: one prompt at every scale of a slider in each mode, as strips, a page and measures. */

import { type Slide, type SlideRequest, type SlideStrip, slide, slideRequests } from "../control/index.js";
import { eventJson, planFor, type Settings, settingsFor } from "../generate/index.js";
import { describeRun } from "../inspect/index.js";
import { formatEstimate } from "../metrics/index.js";
import { type OpenOptions, openPair, type PairReference } from "../open/index.js";
import { stepsOf } from "../trajectory/index.js";
import { fetching } from "./fetching.js";
import { warnOf } from "./notices.js";
import { slidePage } from "./page.js";
import { type FolderOptions, openRunFolder, type RunFolder } from "./run-folder.js";
import { drawSheet } from "./sheet.js";
import type { Column } from "./table.js";
import type { Terminal } from "./terminal.js";
import { tileOf } from "./units.js";

export async function runSlide(
  terminal: Terminal,
  models: PairReference & OpenOptions,
  request: SlideRequest,
  options: FolderOptions,
  signal: AbortSignal,
): Promise<void> {
  const pair = await openPair(models, { ...models, ...fetching(terminal, signal) });
  try {
    const { slider, scales, seeds = [0], allowUnmatched = false } = request;
    await pair.openAdapter(slider, { allowUnmatched });
    const requests = slideRequests(pair, request);
    const folder = await openRunFolder("slide", { models, request }, options);
    const steps = requests.map((r) => stepsOf(planFor(pair, r)).length + 1);
    const images = scales.length * seeds.length;
    const progress = terminal.progress(images * steps.reduce((a, b) => a + b, 0), "loading");
    let ticks = 0;
    for await (const event of slide(pair, request, signal)) {
      if (event.type === "slide") {
        progress.update(ticks, "writing");
        const settings = requests.map((r) => settingsFor(pair, r));
        const files = await write(folder, event.slide, event.strips, { ...describeRun(pair), settings });
        progress.stop();
        terminal.emit({ type: "slide", ...event.slide });
        terminal.emit({ type: "run", out: folder.dir, files });
        printSummary(terminal, folder.dir, event.slide);
        continue;
      }
      terminal.emit(eventJson(event));
      warnOf(terminal, event);
      if (event.type === "step") progress.update(++ticks, `${event.mode}: ${event.model} at ${event.timestep}`);
      if (event.type === "tile") progress.update(ticks + event.done / event.total, `${event.mode}: ${tileOf(event)}`);
      if (event.type === "image") progress.update(++ticks, `${event.mode}: scale ${scales[event.prompt]}`);
    }
  } finally {
    await pair.close();
  }
}

/** Facts of the run, and the settings of each mode. */
type RunFacts = ReturnType<typeof describeRun> & { readonly settings: readonly Settings[] };

async function write(folder: RunFolder, measures: Slide, strips: readonly SlideStrip[], run: RunFacts) {
  const sheet = await drawSheet(
    measures.rows.map(({ mode }) => ({
      title: `${measures.prompt}: ${mode}`,
      columns: measures.scales.map(String),
      rows: strips.filter((s) => s.mode === mode).map((s) => ({ label: `seed ${s.seed}`, images: s.images })),
    })),
  );
  return [
    await folder.write("strips.png", sheet),
    await folder.write("slide.html", Buffer.from(await slidePage(measures, strips, run))),
    await folder.write("slide.json", Buffer.from(`${JSON.stringify({ ...run, ...measures }, null, 1)}\n`)),
  ];
}

/** Prints the classifier's attributes first, which see what a slider changes; columns without a value are left out. */
function printSummary(terminal: Terminal, dir: string, { rows, concept }: Slide): void {
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
  if (concept === null) terminal.print('--concept "…" measures the CLIP score to a text');
  terminal.print(`page    ${dir}/slide.html`);
  terminal.print(`strips  ${dir}/strips.png`);
  terminal.print(`numbers ${dir}/slide.json`);
}
