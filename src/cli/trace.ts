/** `variegate trace`: x0 at every step of each model, as a page, a film strip, measures and latents. */

import { safetensors } from "../checkpoint/index.js";
import { readTensors } from "../checkpoint/node/index.js";
import { eventJson, planFor, type Settings, settingsFor, unusedAdapters } from "../generate/index.js";
import { describeRun } from "../inspect/index.js";
import { mean } from "../metrics/index.js";
import { type OpenOptions, openPair, type PairReference, withPromptEmbeddings } from "../open/index.js";
import { counted, type FloatTensor, float, stack } from "../tensor/index.js";
import {
  modesOf,
  type Recording,
  requestsOf,
  spaceOf,
  stepsOf,
  type Trace,
  type TracedImages,
  type TraceRequest,
  trace,
} from "../trajectory/index.js";
import { fetching } from "./fetching.js";
import { warnOf } from "./notices.js";
import { tracePage } from "./page.js";
import { openResumableFolder, type ResumeOptions, type RunFile, type RunFolder } from "./run-folder.js";
import { drawSheet } from "./sheet.js";
import { columnsOf } from "./table.js";
import type { Terminal } from "./terminal.js";

export async function runTrace(
  terminal: Terminal,
  models: PairReference & OpenOptions,
  request: TraceRequest,
  options: ResumeOptions,
  signal: AbortSignal,
): Promise<void> {
  const opened = await withPromptEmbeddings(models, { ...request, prompts: [request.prompt] });
  const pair = await openPair(opened, { ...opened, ...fetching(terminal, signal) });
  try {
    const { modes, causal } = requestsOf(pair, request);
    const plans = modes.map((each) => planFor(pair, each));
    for (const text of unusedAdapters(models.adapters, ...plans)) terminal.warn(text);
    const folder = await openResumableFolder("trace", { models, request, plans }, options);
    const kept = await readFinished(folder, modesOf(pair, request), plans, request.seeds ?? [0]);
    const seeds = request.seeds?.length ?? 1;
    const steps = plans.map((plan) => stepsOf(plan).length);
    const left = modes.map((each, m) => (kept.some((k) => k.mode === each.mode) ? 0 : (steps[m] ?? 0) + 1));
    const replaced = causal.map((each) => stepsOf(planFor(pair, each)).length + 1);
    const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
    const total = seeds * (sum(left) + 2 * sum(steps) + sum(replaced));
    const progress = terminal.progress(total, "loading");
    const files: RunFile[] = [];
    let ticks = 0;
    for await (const event of trace(pair, request, kept, signal)) {
      if (event.type === "recorded") {
        const { recording } = event;
        const file = await folder.write(`${recording.mode}.safetensors`, latentsFile(recording));
        folder.log({ type: "mode", mode: recording.mode, ...file });
      } else if (event.type === "preview") {
        ticks += event.images;
        progress.update(ticks, `${event.mode}: previews of seed ${event.seed}`);
      } else if (event.type !== "trace") {
        terminal.emit(eventJson(event));
        warnOf(terminal, event);
        if (event.type !== "step" && event.type !== "image") continue;
        const what =
          event.causal === undefined ? event.mode : event.causal < 0 ? "distilled" : `row ${event.causal} by the base`;
        progress.update(++ticks, event.type === "step" ? `${what}: ${event.model} at ${event.timestep}` : what);
      } else {
        progress.update(ticks, "writing");
        const settings = modes.map((each) => settingsFor(pair, each));
        files.push(...(await write(folder, event.trace, event.images, { ...describeRun(pair), settings })));
        progress.stop();
        terminal.emit({ type: "trace", ...event.trace });
        terminal.emit({ type: "run", out: folder.dir, files });
        printSummary(terminal, folder.dir, event.trace);
      }
    }
  } finally {
    await pair.close();
  }
}

/** Facts of the run, and the settings of each mode. */
type RunFacts = ReturnType<typeof describeRun> & { readonly settings: readonly Settings[] };

async function write(
  folder: RunFolder,
  measures: Trace,
  images: readonly TracedImages[],
  run: RunFacts,
): Promise<RunFile[]> {
  const json = JSON.stringify({ ...run, ...measures }, null, 1);
  return [
    await folder.write("trace.json", Buffer.from(`${json}\n`)),
    await folder.write("filmstrip.png", await filmStrip(measures, images)),
    await folder.write("trace.html", Buffer.from(await tracePage(measures, images, run))),
  ];
}

/** Encodes x_t [seeds, steps + 1, C, h, w], x0 [seeds, steps, C, h, w], timesteps [steps], and the seeds in the metadata; float32, variance preserving. */
function latentsFile({ mode, steps, tracks }: Recording): Uint8Array {
  const perSeed = (of: readonly FloatTensor[]) => {
    const all = stack(of);
    return float([1, ...all.shape], all.data);
  };
  const timesteps = Float32Array.from(steps, (s) => s.timestep);
  return safetensors(
    {
      x_t: stack(tracks.map((t) => perSeed([...t.xt, t.final]))),
      x0: stack(tracks.map((t) => perSeed(t.x0))),
      timesteps: float([timesteps.length], timesteps),
    },
    { latents: "variance preserving", mode, seeds: tracks.map((t) => t.seed).join(",") },
  );
}

/** Reads the recordings that an interrupted run of the same trace has finished. */
async function readFinished(
  folder: RunFolder,
  modes: readonly Recording["mode"][],
  plans: readonly Recording["plan"][],
  seeds: readonly number[],
): Promise<Recording[]> {
  const found: Recording[] = [];
  for (const [m, mode] of modes.entries()) {
    const plan = plans[m];
    const kept = folder.kept.get(`${mode}.safetensors`);
    if (!kept || !plan) continue;
    const tensors = await readTensors(`${folder.dir}/${kept.file}`);
    const parts = (name: string, s: number) => {
      const { shape = [], data = new Float32Array() } = tensors.get(name) ?? {};
      const [, n = 0, ...rest] = shape;
      const size = rest.reduce((a, b) => a * b, 1);
      return Array.from({ length: n }, (_, i) =>
        float([1, ...rest], data.slice((s * n + i) * size, (s * n + i + 1) * size)),
      );
    };
    const tracks = seeds.flatMap((seed, s) => {
      const xt = parts("x_t", s);
      const final = xt.pop();
      return final ? [{ seed, xt, x0: parts("x0", s), final }] : [];
    });
    found.push({ mode, plan, steps: stepsOf(plan), tracks });
  }
  return found;
}

/** Columns of the strip for one mode: more of them would not be legible. */
const STRIP_COLUMNS = 9;

/** One row for each seed; the modes stand side by side, a long schedule with evenly chosen steps, its first and last among them. */
function filmStrip({ prompt, modes, seeds }: Trace, images: readonly TracedImages[]): Promise<Uint8Array> {
  const groups = modes.map(({ mode, steps }) => ({ mode, steps, shown: evenly(steps.length, STRIP_COLUMNS) }));
  return drawSheet([
    {
      title: `${prompt}: x0 at each step`,
      groups: groups.map(({ mode, steps, shown }) => ({
        title:
          shown.length < steps.length
            ? `${mode}, ${shown.length} of ${steps.length} steps`
            : `${mode}, ${counted(steps.length, "step")}`,
        columns: shown.map((i) => `t ${Math.round(steps[i]?.timestep ?? 0)}`),
      })),
      rows: seeds.map((seed) => ({
        label: `seed ${seed}`,
        images: groups.flatMap(({ mode, shown }) => {
          const own = images.find((i) => i.mode === mode && i.seed === seed);
          return shown.flatMap((i) => own?.x0[i] ?? []);
        }),
      })),
    },
  ]);
}

/** At most `most` indices from 0 to count − 1, evenly spaced, with the first and the last. */
function evenly(count: number, most: number): number[] {
  const n = Math.min(count, most);
  return Array.from({ length: n }, (_, i) => Math.round((i * (count - 1)) / Math.max(1, n - 1)));
}

function printSummary(terminal: Terminal, dir: string, { modes, causal, summary }: Trace): void {
  const space = spaceOf({ modes });
  for (const sentence of summary) terminal.print(sentence);
  terminal.print("");
  const percent = (x: number) => `${Math.round(100 * x)} %`;
  const head = ["mode", "steps", "first x0 to final", "middle x0 to final", "committed after", "diversity"];
  terminal.table(
    columnsOf(head, { "middle x0 to final": { drop: 1 }, "first x0 to final": { drop: 2 } }),
    modes.map(({ mode, steps, commit, committed, spread }) => {
      const curve = (commit[space] ?? commit.pixel).mean;
      const done = committed?.[space];
      return [
        mode,
        `${steps.length}`,
        curve[0]?.mean.toFixed(3) ?? "",
        curve[Math.floor(curve.length / 2)]?.mean.toFixed(3) ?? "",
        done ? `${percent(mean(done.map((c) => c.share)))} of its steps` : "–",
        spread?.[space]?.at(-1)?.toFixed(3) ?? "–",
      ];
    }),
  );
  if (causal) {
    terminal.print("");
    terminal.table(
      columnsOf(["rows run by the base", "diversity", "change of the images"]),
      causal.map(({ row, timestep, diversity, change }) => [
        row === null ? "none (distilled alone)" : `row ${row} (timestep ${timestep})`,
        diversity?.[space]?.toFixed(3) ?? "–",
        (change[space] ?? change.pixel).toFixed(3),
      ]),
    );
  }
  for (const { mode, steps, watched } of modes) {
    for (const { phrase, findings } of watched) {
      for (const { seed, step, finding } of findings) {
        const at = `step ${step + 1} of ${steps.length}`;
        const when = finding === "dropped" ? `seen until ${at}, not in the final image` : `seen only from ${at}`;
        terminal.print(`${mode}, seed ${seed}: "${phrase}" ${when}`);
      }
    }
  }
  terminal.print("");
  const unit = space === "pixel" ? "pixels" : "CLIP features";
  terminal.print(`distances in ${unit}; diversity: mean distance between final images of different seeds`);
  terminal.print(`page    ${dir}/trace.html`);
  terminal.print(`strip   ${dir}/filmstrip.png`);
  terminal.print(`numbers ${dir}/trace.json`);
}
