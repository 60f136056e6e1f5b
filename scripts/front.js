/**
 * Runs every diversity method on both pairs and writes docs/front.md, with a figure of each pair. Goes on where it was stopped; report.html, in
 * which points can be hovered, is in the folders.
 *
 *     node scripts/front.js [folder, default out/front]
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import * as Plot from "@observablehq/plot";
import { loadChart } from "../dist/report/index.js";
import { cellsOf, tableOf } from "./markdown.js";
import { variegate } from "./program.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const out = path.resolve(process.argv[2] ?? `${root}out/front`);
const PAIRS = { embedded: "The embedded pair", emoji: "The emoji pair" };
const KINDS = ["base and hand-offs", "methods on the distilled model", "methods on the hybrid"];
const RATIOS = `What each setting has of the distilled model or the hybrid it is used on (column *of*), over the same prompts, with 95 % intervals; a hybrid of one step beside the distilled model. *calls*
is the ratio of model calls. A lower kernel distance is better.`;
mkdirSync(out, { recursive: true });

const kindOf = (name) =>
  KINDS[name.startsWith("distilled, ") ? 1 : /^hybrid, [a-z]+(-[a-z]+)*(:|$)/.test(name) ? 2 : 0];

/** CLIP distance over attribute accuracy; hollow points are dominated. Settings that break images would leave no room for the others. */
async function figure({ rows, front }) {
  const chart = await loadChart();
  const least = 0.75 * rows.find((r) => r.name === "distilled").values.accuracy.mean;
  const all = rows.map(({ name, values }, i) => ({
    name,
    kind: kindOf(name),
    x: values.accuracy.mean,
    y: values.distance.mean,
    free: front.points[i].dominatedBy === null,
  }));
  const points = all.filter((p) => p.x >= least);
  const plain = points.filter((p) => ["base", "distilled", "hybrid"].includes(p.name));
  const at = { x: "x", y: "y", title: "name", stroke: "kind" };
  return chart({
    ...{ width: 760, height: 460, marginLeft: 50, marginRight: 40, grid: true },
    x: { label: "attribute accuracy" },
    y: { label: "CLIP distance between seeds" },
    color: { domain: KINDS, range: ["#333333", "#d1495b", "#00798c"] },
    style: { background: "white", fontSize: "12px" },
    marks: [
      Plot.dot(
        points.filter((p) => !p.free),
        { ...at, r: 3, strokeOpacity: 0.6 },
      ),
      Plot.dot(
        points.filter((p) => p.free),
        { ...at, fill: "kind", r: 4 },
      ),
      ...KINDS.map((kind, i) =>
        Plot.text([kind], {
          frameAnchor: "bottom-left",
          dx: 10,
          dy: 18 * (i - 3),
          text: (d) => d,
          fill: (d) => d,
          fontWeight: "bold",
        }),
      ),
      Plot.text(plain, { x: "x", y: "y", text: "name", dy: -10, fontWeight: "bold" }),
    ],
  });
}

/** Tables of a report, by the first cell of their head: rows of cells. */
function tablesOf(report) {
  const found = new Map();
  let open = null;
  for (const line of report.split("\n")) {
    if (!line.startsWith("|")) open = null;
    else if (open === null) {
      open = [cellsOf(line)];
      found.set(open[0][0], open);
    } else if (!line.startsWith("|---")) open.push(cellsOf(line));
  }
  return found;
}

const ratios = {};
const sections = [];
for (const [pair, title] of Object.entries(PAIRS)) {
  const folder = path.join(out, pair);
  variegate("experiment", "front", "--pair", pair, "--out", folder, "--resume");
  const [table] = JSON.parse(readFileSync(path.join(folder, "results.json"), "utf8")).tables;
  writeFileSync(`${root}docs/front-${pair}.svg`, await figure(table));
  const report = readFileSync(path.join(folder, "report.md"), "utf8");
  const tables = tablesOf(report);
  ratios[pair] = tables.get("ratio to the plain row");
  const stronger = new Map(tables.get("point"));
  const numbers = tables
    .get("")
    .map(([name, ...cells], i) => [name, ...cells, i === 0 ? "dominated by" : (stronger.get(name) ?? "")]);
  const facts = report.split("\n").find((line) => line.startsWith(`pair ${pair} `));
  const size = report.trim().split("\n").at(-1);
  sections.push(
    `## ${title}`,
    `${facts.split(". Intervals")[0].replaceAll(root, "")}. ${size}`,
    `![Methods on ${pair}](front-${pair}.svg)`,
    tableOf(numbers),
  );
}

// The ratios of each row on both pairs, without the number of calls, which is the same.
const [[head, ...rows], [, ...others]] = [ratios.embedded, ratios.emoji];
const measures = head.slice(2, -1);
const names = [...new Set([...rows, ...others].map((row) => row[0]))];
const shown = (list, name) => list.find((row) => row[0] === name)?.slice(2, -1) ?? measures.map(() => "–");
const of = (name) => [...rows, ...others].find((row) => row[0] === name);
const both = [
  ["row", "of", "calls", ...Object.keys(PAIRS).flatMap((pair) => measures.map((m) => `${m}, ${pair}`))],
  ...names.map((name) => [name, of(name)[1], of(name).at(-1), ...shown(rows, name), ...shown(others, name)]),
];
const introduction = readFileSync(`${root}scripts/front.md`, "utf8").trimEnd();
const parts = [introduction, "## Ratios to the plain row, on both pairs", RATIOS, tableOf(both), ...sections];
writeFileSync(`${root}docs/front.md`, `${parts.join("\n\n")}\n`);
