/** Report page of experiments: one HTML file with every measure, plots, and sample images of every row. */
import { areaY, dot, line, link, ruleX } from "@observablehq/plot";
import type { Estimate } from "../metrics/index.js";
import { type Html, html, loadChart, markup, renderPage, table } from "../report/index.js";
import { type FrontDetails, frontFigure, frontScript, frontStyle } from "./front-page.js";
import {
  type About,
  agreementsOf,
  claimsOf,
  effectsOf,
  facts,
  NOTE,
  numbersOf,
  promptsOf,
  ratiosOf,
  reasonsOf,
  sizeOf,
  summaryOf,
} from "./markdown.js";
import { kindOf, type MeasureName } from "./measures.js";
import type { Table, TableRow } from "./table.js";
import type { Verdict } from "./verdict.js";

/** Sample images of rows as data URLs, by experiment and row. */
export type Samples = ReadonlyMap<string, readonly string[]>;
export const sampleKey = (table: string, row: string): string => `${table} / ${row}`;

/** Styles of plots, samples and verdicts, in addition to those of all pages. */
const STYLE = `
.agrees { color: var(--good) } .disagrees { color: var(--bad) } .undecided { color: var(--doubt) }
.plots { display: flex; flex-wrap: wrap; gap: 1rem }
.row { display: flex; align-items: center; gap: 4px; margin: 4px 0 } .row span { width: 14rem; flex: none }
`;

const chart = await loadChart();

const CLASSES: Readonly<Record<Verdict, string | undefined>> = {
  agrees: "agrees",
  undecided: "undecided",
  disagrees: "disagrees",
  "not tested": undefined,
};

/** Renders the report. */
export function pageOf(
  tables: readonly Table[],
  about: About,
  samples: Samples,
  details: (table: Table) => FrontDetails,
): string {
  const links = tables.map((t, i) => html`${i > 0 ? " · " : ""}<a href="#${t.name}">${t.title}</a>`);
  const withFront = tables.some((t) => t.front !== null);
  const body = html`<h1>Experiments</h1>
<p><code>${about.command}</code></p>
${about.student === null ? "" : html`<p>${about.student}</p>`}
<p>${facts(about).join(" · ")}</p>
<p>${tables.length > 1 ? links : ""}</p>
<p>${NOTE}</p>
<p>${summaryOf(tables)}</p>
${tables.map((t) => section(t, samples, details(t)))}${withFront ? frontScript() : ""}`;
  return renderPage({ title: "Experiments", style: withFront ? STYLE + frontStyle() : STYLE, body });
}

function section(t: Table, samples: Samples, details: FrontDetails): Html {
  const claims = claimsOf(t);
  const verdict = (i: number) => CLASSES[t.judgements[i]?.verdict ?? "not tested"];
  const last = (claims[0]?.length ?? 0) - 1;
  const rows = t.rows.map((r) => {
    const images = samples.get(sampleKey(t.name, r.name)) ?? [];
    return html`<div class="row"><span>${r.name}</span>${images.map((src) => html`<img src="${src}" alt="">`)}</div>\n`;
  });
  return html`<h2 id="${t.name}">${t.title}</h2>
${t.found === "" ? "" : html`<p>Paper: ${t.found}</p>`}
${frontFigure(t, details)}
${t.judgements.length > 0 ? table(claims, (row, column) => (column === last ? verdict(row) : undefined)) : ""}
${[reasonsOf(t), effectsOf(t), numbersOf(t), ratiosOf(t), agreementsOf(t)].map((rows) => (rows.length > 0 ? table(rows) : ""))}
<div class="plots">${plots(t).map(markup)}</div>
${rows}${t.byPrompt ? table(promptsOf(t)) : ""}
<p>${sizeOf(t)}</p>
`;
}

/** Commit curves if x0 was followed; then each measure over the x axis, or by row. */
function plots(t: Table): string[] {
  const curves = [
    ...(t.rows.some((r) => r.curve) ? [curvePlot(t, "CLIP distance of x0 to the final image", (c) => c.distance)] : []),
    ...(t.rows.some((r) => r.curve?.some((c) => c.agreement))
      ? [curvePlot(t, "attributes of x0 as in the final image, above chance", (c) => c.agreement)]
      : []),
  ];
  return [...curves, ...t.measures.map((m) => (t.axis === null ? rowsPlot(t, m) : axisPlot(t, m, t.axis)))];
}

interface Point {
  readonly name: string;
  readonly x: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

const point = (row: TableRow, e: Estimate | null | undefined): Point[] =>
  e && Number.isFinite(e.mean)
    ? [{ name: row.name, x: row.x ?? 0, mean: e.mean, low: e.low ?? e.mean, high: e.high ?? e.mean }]
    : [];

const SIZE = { width: 380 } as const;

function rowsPlot(t: Table, m: MeasureName): string {
  const points = t.rows.flatMap((r) => point(r, r.values[m]));
  if (points.length < 2) return "";
  return chart({
    ...SIZE,
    title: kindOf(m).title,
    height: 60 + 22 * points.length,
    marginLeft: 150,
    x: { label: null, nice: true, ticks: 5 },
    y: { label: null, domain: points.map((p) => p.name) },
    marks: [
      link(points, { x1: "low", x2: "high", y1: "name", y2: "name", stroke: "#8aa" }),
      dot(points, { x: "mean", y: "name", fill: "#3a7ca8" }),
    ],
  });
}

function axisPlot(t: Table, m: MeasureName, label: string): string {
  const points = t.rows.flatMap((r) => (r.x === null ? [] : point(r, r.values[m])));
  if (points.length < 2) return "";
  return chart({
    ...SIZE,
    title: kindOf(m).title,
    height: 240,
    x: { label, ticks: points.map((p) => p.x) },
    y: { label: null, grid: true, nice: true },
    marks: [
      areaY(points, { x: "x", y1: "low", y2: "high", fill: "#8aa", fillOpacity: 0.2 }),
      line(points, { x: "x", y: "mean", stroke: "#3a7ca8" }),
      dot(points, { x: "x", y: "mean", fill: "#3a7ca8" }),
    ],
  });
}

type Step = NonNullable<TableRow["curve"]>[number];

function curvePlot(t: Table, title: string, of: (step: Step) => Estimate | null): string {
  const points = t.rows.flatMap((r) =>
    (r.curve ?? []).flatMap((step) => point(r, of(step)).map((p) => ({ ...p, level: step.timestep / 1000 }))),
  );
  return chart({
    ...SIZE,
    width: 560,
    title,
    height: 300,
    marginRight: 90,
    x: { label: "noise level, t / 1000", reverse: true, domain: [1, 0] },
    y: { label: null, grid: true, zero: true },
    color: { legend: true, domain: t.rows.map((r) => r.name) },
    marks: [
      areaY(points, { x: "level", y1: "low", y2: "high", fill: "name", fillOpacity: 0.15 }),
      line(points, { x: "level", y: "mean", stroke: "name" }),
      dot(points, { x: "level", y: "mean", fill: "name" }),
      ruleX([0]),
    ],
  });
}
