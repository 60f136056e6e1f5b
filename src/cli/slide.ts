/** `variegate slide`: one prompt along a slider's scales on every model, as strips, a page with a slider, and numbers. */

import { type Slide, type SlideRequest, type SlideStrip, slide, slideRequests } from "../control/index.js";
import { eventJson, planFor } from "../generate/index.js";
import { describeRun } from "../inspect/index.js";
import { formatEstimate } from "../metrics/index.js";
import { type OpenOptions, openPair, type PairReference } from "../open/index.js";
import { stepsOf } from "../trajectory/index.js";
import { fetching } from "./fetching.js";
import { slidePage } from "./page.js";
import { type FolderOptions, openRunFolder, type RunFolder } from "./run-folder.js";
import { drawSheet } from "./sheet.js";
import { type Terminal, table } from "./terminal.js";
import { tileOf } from "./words.js";

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
    const pictures = scales.length * seeds.length;
    const progress = terminal.progress(pictures * steps.reduce((a, b) => a + b, 0), "loading");
    let ticks = 0;
    for await (const event of slide(pair, request, signal)) {
      if (event.type === "slide") {
        progress.update(ticks, "writing");
        const files = await write(folder, event.slide, event.strips, describeRun(pair));
        progress.stop();
        terminal.emit({ type: "slide", ...event.slide });
        terminal.emit({ type: "run", out: folder.dir, files });
        tell(terminal, folder.dir, event.slide);
        continue;
      }
      terminal.emit(eventJson(event));
      if (event.type === "adjusted") for (const why of event.why) terminal.note(why);
      if (event.type === "step") progress.update(++ticks, `${event.mode}: ${event.model} at ${event.timestep}`);
      if (event.type === "tile") progress.update(ticks + event.done / event.total, `${event.mode}: ${tileOf(event)}`);
      if (event.type === "image") progress.update(++ticks, `${event.mode}: scale ${scales[event.prompt]}`);
    }
  } finally {
    await pair.close();
  }
}

async function write(
  folder: RunFolder,
  numbers: Slide,
  strips: readonly SlideStrip[],
  run: ReturnType<typeof describeRun>,
) {
  const sheet = await drawSheet(
    numbers.rows.map(({ mode }) => ({
      title: `${numbers.prompt}: ${mode}`,
      columns: numbers.scales.map(String),
      rows: strips.filter((s) => s.mode === mode).map((s) => ({ label: `seed ${s.seed}`, images: s.images })),
    })),
  );
  return [
    await folder.write("strips.png", sheet),
    await folder.write("slide.html", Buffer.from(await slidePage(numbers, strips, run))),
    await folder.write("slide.json", Buffer.from(`${JSON.stringify({ ...run, ...numbers }, null, 1)}\n`)),
  ];
}

function tell(terminal: Terminal, dir: string, { rows, concept }: Slide): void {
  const head = ["mode", "scale", "distance to scale 0"];
  const more = concept === null ? [] : ["CLIP score to the concept", "change, %"];
  const readings = Object.keys(rows[0]?.stops[0]?.readings ?? {});
  terminal.say(
    table([
      [...head, ...more, ...readings.map((name) => `${name} (classifier)`)],
      ...rows.flatMap(({ mode, stops }) =>
        stops.map((s) => [
          mode,
          String(s.scale),
          formatEstimate(s.distance),
          ...(concept === null ? [] : [s.clipScore, s.change].map((e) => formatEstimate(e, (v) => v.toFixed(1)))),
          ...readings.map((name) => formatEstimate(s.readings[name])),
        ]),
      ),
    ]),
  );
  terminal.say("");
  if (concept === null) terminal.say('--concept "…" measures how much more like the words the pictures become');
  terminal.say(`page    ${dir}/slide.html`);
  terminal.say(`strips  ${dir}/strips.png`);
  terminal.say(`numbers ${dir}/slide.json`);
}
