/** Page of a training run: loss, gradient norm and samples, from its log. It opens from disk, and loads itself again while the run goes on. */
import { readFileSync } from "node:fs";
import path from "node:path";
import type { PlotOptions } from "@observablehq/plot";
import { z } from "zod";
import { parseJson } from "../files/index.js";
import { type Content, html, loadChart, markup, renderPage } from "../report/index.js";

/** Seconds after which the page of a run that goes on loads itself again. */
const RELOAD = 5;
/** Updates of the running mean, as a share of the run. */
const SMOOTHED = 1 / 20;

const updateSchema = z.object({
  type: z.literal("update"),
  update: z.number(),
  loss: z.number(),
  norm: z.number(),
  milliseconds: z.number(),
});
const sampleSchema = z.object({
  type: z.literal("sample"),
  update: z.number(),
  prompt: z.string(),
  scale: z.number(),
  seed: z.number(),
  file: z.string(),
});
type Update = z.output<typeof updateSchema>;
type Sample = z.output<typeof sampleSchema>;

/** A run as its page shows it. */
export interface ShownRun {
  /** Folder of the run, with its log. */
  readonly dir: string;
  readonly title: string;
  readonly iterations: number;
  readonly state: "running" | "finished" | "stopped";
}

const STYLE = `
.report svg { display: block }
.samples img { width: 96px; height: 96px; image-rendering: pixelated }
.samples td, .samples th { padding: 0.1rem 0.3rem }
`;

/** Renders the page of a run as its log is now. */
export async function trainPage({ dir, title, iterations, state }: ShownRun): Promise<string> {
  const lines = readFileSync(path.join(dir, "events.jsonl"), "utf8").split("\n").map(parseJson);
  const updates = lines.flatMap((line) => updateSchema.safeParse(line).data ?? []);
  const samples = lines.flatMap((line) => sampleSchema.safeParse(line).data ?? []);
  const charts = updates.length > 1 ? await drawn(updates, iterations) : "";
  const reload = markup(`<script>setTimeout(() => location.reload(), ${1000 * RELOAD})</script>`);
  return renderPage({
    title,
    style: STYLE,
    body: [
      html`<h1>${title}</h1><p>${progressOf(updates, iterations, state)}</p>`,
      charts,
      samples.length > 0 ? html`<h2>Samples</h2>${sampleTable(samples)}` : "",
      state === "running" ? reload : "",
    ],
  });
}

function progressOf(updates: readonly Update[], iterations: number, state: ShownRun["state"]): string {
  const last = updates.at(-1);
  const done = `${last?.update ?? 0} of ${iterations} updates`;
  if (!last || state !== "running") return `${done}, ${state}`;
  const recent = updates.slice(-10);
  const each = recent.reduce((sum, u) => sum + u.milliseconds, 0) / recent.length;
  return `${done}, about ${Math.ceil((each * (iterations - last.update)) / 1000)} s left; loss ${last.loss.toPrecision(3)}`;
}

/** Mean of each value and those before it, up to a number. */
function smoothed(values: readonly number[], over: number): number[] {
  return values.map((_, i) => {
    const own = values.slice(Math.max(0, i + 1 - over), i + 1);
    return own.reduce((sum, v) => sum + v, 0) / own.length;
  });
}

async function drawn(updates: readonly Update[], iterations: number): Promise<Content> {
  const [chart, { lineY, ruleX }] = [await loadChart(), await import("@observablehq/plot")];
  const over = Math.max(1, Math.round(SMOOTHED * iterations));
  const line = (label: string, of: (u: Update) => number) => {
    const means = smoothed(updates.map(of), over);
    const rows = updates.map((u, i) => ({ update: u.update, value: of(u), mean: means[i] ?? 0 }));
    const options: PlotOptions = {
      width: 720,
      height: 220,
      x: { label: "update", domain: [0, iterations] },
      y: { label, type: "log", grid: true, tickFormat: "~g" },
      marks: [
        lineY(rows, { x: "update", y: "value", stroke: "currentColor", strokeOpacity: 0.25 }),
        lineY(rows, { x: "update", y: "mean", stroke: "#c4552d", strokeWidth: 2 }),
        ruleX([0]),
      ],
    };
    return html`<figure><h2>${label}</h2>${markup(chart(options))}</figure>`;
  };
  return [line("loss", (u) => u.loss), line("gradient norm", (u) => u.norm)];
}

/** A row for each update with samples, a column for each scale and seed. */
function sampleTable(samples: readonly Sample[]): Content {
  const columns = [...new Map(samples.map((s) => [`${s.prompt} ${s.scale} ${s.seed}`, s])).values()];
  const rows = [...new Set(samples.map((s) => s.update))].sort((a, b) => b - a);
  const cell = (update: number, column: Sample) => {
    const same = (s: Sample) => s.prompt === column.prompt && s.scale === column.scale && s.seed === column.seed;
    const found = samples.find((s) => s.update === update && same(s));
    return html`<td>${found ? html`<img src="${found.file}" alt="seed ${found.seed} at scale ${found.scale}">` : ""}</td>`;
  };
  return html`<p>${columns[0]?.prompt ?? ""}</p><table class="samples">
<tr><th>update</th>${columns.map((c) => html`<th>scale ${c.scale}, seed ${c.seed}</th>`)}</tr>
${rows.map((update) => html`<tr><td class="number">${update}</td>${columns.map((c) => cell(update, c))}</tr>\n`)}</table>`;
}
