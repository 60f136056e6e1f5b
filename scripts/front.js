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
import { variegate } from "./program.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const out = path.resolve(process.argv[2] ?? `${root}out/front`);
const PAIRS = { embedded: "The embedded pair", emoji: "The emoji pair" };
const KINDS = ["base and hand-offs", "methods on the distilled model", "methods on the hybrid"];
mkdirSync(out, { recursive: true });

const kindOf = (name) =>
  KINDS[name.startsWith("distilled, ") ? 1 : /^hybrid, [a-z]+(-[a-z]+)*(:|$)/.test(name) ? 2 : 0];

/** CLIP distance over attribute accuracy; hollow points are dominated. */
async function figure({ rows, front }) {
  const chart = await loadChart();
  const points = rows.map(({ name, values }, i) => ({
    name,
    kind: kindOf(name),
    x: values.accuracy.mean,
    y: values.distance.mean,
    free: front.points[i].dominatedBy === null,
  }));
  const plain = points.filter((p) => ["base", "distilled", "hybrid"].includes(p.name));
  const at = { x: "x", y: "y", title: "name", stroke: "kind" };
  return chart({
    ...{ width: 760, height: 460, marginLeft: 50, grid: true },
    x: { label: "attribute accuracy" },
    y: { label: "CLIP distance between seeds" },
    color: { domain: KINDS, range: ["#333333", "#d1495b", "#00798c"], legend: true },
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
      Plot.text(plain, { x: "x", y: "y", text: "name", dy: -10, fontWeight: "bold" }),
    ],
  });
}

const parts = [readFileSync(`${root}scripts/front.md`, "utf8").trimEnd()];
for (const [pair, title] of Object.entries(PAIRS)) {
  const folder = path.join(out, pair);
  variegate("experiment", "front", "--pair", pair, "--out", folder, "--resume");
  const [table] = JSON.parse(readFileSync(path.join(folder, "results.json"), "utf8")).tables;
  writeFileSync(`${root}docs/front-${pair}.svg`, await figure(table));
  const report = readFileSync(path.join(folder, "report.md"), "utf8");
  const section = report.slice(report.indexOf("\n## ")).split("\n").slice(2).join("\n").trim();
  const facts = report.split("\n").find((line) => line.startsWith(`pair ${pair} `));
  parts.push(
    `## ${title}`,
    facts.split(". Intervals")[0].concat("."),
    `![Methods on ${pair}](front-${pair}.svg)`,
    section,
  );
}
writeFileSync(`${root}docs/front.md`, `${parts.join("\n\n")}\n`);
