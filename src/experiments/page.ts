/** The page of experiments: one file that opens from disk, with every number, its plot, and pictures of every row. */
import { areaY, dot, line, link, ruleX } from "@observablehq/plot";
import type { Estimate } from "../metrics/index.js";
import { chart } from "../report/index.js";
import { type About, claimsOf, facts, NOTE, numbersOf, promptsOf, sizeOf } from "./markdown.js";
import { kindOf, type MeasureName } from "./measures.js";
import type { Table, TableRow, Verdict } from "./table.js";

/** Pictures of a row as data URLs, by experiment and row. */
export type Samples = ReadonlyMap<string, readonly string[]>;
export const sampleKey = (table: string, row: string): string => `${table} / ${row}`;

const escaped = (s: string) => s.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
table{border-collapse:collapse;margin:1rem 0;display:block;overflow-x:auto}td,th{padding:.25rem .6rem;text-align:left;vertical-align:top;border-bottom:1px solid #ddd}
td:not(:first-child){font-variant-numeric:tabular-nums}code{background:#f4f4f4}h2{margin-top:3rem}
.agrees{color:#16703a}.not{color:#a3321f}.leans{color:#8a5a00}
.plots{display:flex;flex-wrap:wrap;gap:1rem}svg{max-width:100%;height:auto}
.row{display:flex;align-items:center;gap:4px;margin:4px 0}.row span{width:14rem;flex:none}.row img{width:96px;height:96px;object-fit:contain}
@media (prefers-color-scheme:dark){body{background:#16181b;color:#ddd}td,th{border-color:#333}code{background:#24272b}.agrees{color:#6fd39a}.not{color:#ff9a86}.leans{color:#e6b45c}}`;

const COLOURS: Readonly<Record<Verdict, string>> = {
  agrees: "agrees",
  "leans that way": "leans",
  "leans the other way": "leans",
  "does not agree": "not",
  "not measured": "",
};

/** The whole report as one HTML page. */
export function pageOf(tables: readonly Table[], about: About, samples: Samples): string {
  const table = (rows: readonly (readonly string[])[], kind: (row: number) => string = () => "") => {
    const [head = [], ...body] = rows;
    const tds = body.map((r, i) => {
      const cells = r.map((c, j) => {
        const name = j === r.length - 1 ? kind(i) : "";
        return `<td${name && ` class="${name}"`}>${escaped(c)}`;
      });
      return `<tr>${cells.join("")}`;
    });
    return `<table><tr>${head.map((h) => `<th>${escaped(h)}`).join("")}${tds.join("")}</table>`;
  };
  const sections = tables.map((t) => {
    const verdict = (i: number) => COLOURS[t.judgements[i]?.verdict ?? "not measured"];
    const rows = t.rows.map((r) => {
      const images = samples.get(sampleKey(t.name, r.name)) ?? [];
      return `<div class="row"><span>${escaped(r.name)}</span>${images.map((src) => `<img src="${src}" alt="">`).join("")}</div>`;
    });
    return `<h2 id="${t.name}">${escaped(t.title)}</h2><p>Paper: ${escaped(t.found)}</p>
${t.judgements.length > 0 ? table(claimsOf(t), verdict) : ""}${table(numbersOf(t))}
<div class="plots">${plots(t).join("")}</div>${rows.join("")}${t.byPrompt ? table(promptsOf(t)) : ""}<p>${escaped(sizeOf(t))}</p>`;
  });
  const list = tables.map((t) => `<a href="#${t.name}">${escaped(t.title)}</a>`);
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Experiments</title><style>${STYLE}</style>
<h1>Experiments</h1><p><code>${escaped(about.command)}</code></p><p>${facts(about).map(escaped).join(" · ")}</p>
<p>${tables.length > 1 ? list.join(" · ") : ""}</p><p>${escaped(NOTE)}</p>${sections.join("\n")}</html>
`;
}

/** Curves where x0 was followed; a line over the axis where rows stand on one; else the rows side by side. */
function plots(t: Table): string[] {
  const curves = t.rows.some((r) => r.curve) ? [curvePlot(t)] : [];
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

function curvePlot(t: Table): string {
  const points = t.rows.flatMap((r) =>
    (r.curve ?? []).flatMap(({ timestep, distance }) =>
      point(r, distance).map((p) => ({ ...p, level: timestep / 1000 })),
    ),
  );
  return chart({
    ...SIZE,
    width: 560,
    title: "how far x0 is from the finished picture (CLIP distance)",
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
