// Measures what is kept of the base's variety along the training of the plainly distilled model, and draws the figure of docs/diversity.md:
//     node pair/curve.js --run "seed 0" --out made        every UNet under made/plain/curve; rows already in the file are not measured again
//     node pair/curve.js --figure docs/curve.svg          the figure alone
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as Plot from "@observablehq/plot";
import { Command } from "commander";
import { evaluate, generate, keptDiversity, openEvaluator, openPair, summarise } from "variegate";
import { loadChart } from "../dist/report/index.js";

const given = new Command("curve")
  .description("Measures the plain recipe's student along its training, and draws the curve.")
  .option("--run <name>", "name of the training run in the figure")
  .option("--out <folder>", "folder of the training run")
  .option("--seeds <count>", "images of a prompt", Number, 32)
  .option("--file <file>", "measured rows", fileURLToPath(new URL("./curve.json", import.meta.url)))
  .option("--figure <file>", "write the figure there")
  .parse()
  .opts();

const PROMPTS = JSON.parse(readFileSync(new URL("./prompts.json", import.meta.url), "utf8")).slice(0, 16);
const DDIM = { baseScheduler: "DDIMScheduler", baseSpacing: "trailing", baseSteps: 4, baseGuidance: 0 };
const ROWS = {
  distilled: { mode: "distilled" },
  "hybrid, LCM step": { mode: "hybrid", switch: 1 },
  "hybrid, DDIM step": { mode: "hybrid", switch: 1, ...DDIM },
};
const MEASURES = { judge: "judge distance", clip: "CLIP distance", entropy: "entropy", named: "named attributes right" };

/** What the instruments read of a pair's images, PROMPTS × seeds. */
async function read(reference, request, seeds) {
  const pair = await openPair({ pair: "embedded", ...reference });
  const evaluator = await openEvaluator(pair);
  const images = PROMPTS.map(() => []);
  for await (const event of generate(pair, { ...request, prompts: PROMPTS, seeds })) if (event.type === "image") images[event.prompt].push(event.image);
  const reading = await evaluate(evaluator, images, PROMPTS);
  await pair.close();
  return reading;
}

/** One row of the file: the share of the base's variety that is kept, by each measure, and the share of named attributes that is right. */
function measured(at, reading, base) {
  const { distance, attributes } = keptDiversity(reading, base);
  const rounded = ({ mean, low, high }) => [mean, low, high].map((v) => (v === null || v === undefined ? null : Number(v.toFixed(4))));
  const named = rounded(summarise(reading).attributes.accuracy);
  return { ...at, judge: rounded(attributes.distance), clip: rounded(distance), entropy: rounded(attributes.entropy), named };
}

async function measureRun(file, run, out) {
  const seeds = Array.from({ length: given.seeds }, (_, i) => i);
  const updates = readdirSync(`${out}/plain/curve`).map(Number).sort((a, b) => a - b);
  let base;
  for (const count of updates) {
    for (const [row, request] of Object.entries(ROWS)) {
      if (file.rows.some((r) => r.run === run && r.updates === count && r.row === row)) continue;
      base ??= await read({}, { mode: "base" }, seeds);
      const reading = await read({ distilled: `${out}/plain/curve/${count}/unet` }, request, seeds);
      file.rows.push(measured({ run, updates: count, row }, reading, base));
      writeFileSync(given.file, `${JSON.stringify({ ...file, rows: undefined }).slice(0, -1)},"rows":[\n${file.rows.map((r) => JSON.stringify(r)).join(",\n")}\n]}\n`);
      process.stderr.write(`${JSON.stringify(file.rows.at(-1))}\n`);
    }
  }
}

/** Updates × measure, one panel a measure, a line a row, dashed for further runs. */
async function figure(rows) {
  const chart = await loadChart();
  const points = rows.flatMap((r) => Object.entries(MEASURES).map(([key, name]) => ({ ...r, measure: name, mean: r[key][0], low: r[key][1], high: r[key][2] })));
  const runs = [...new Set(rows.map((r) => r.run))];
  const at = { x: "updates", fy: "measure", stroke: "row", z: "row" };
  // In the panel whose lines lie together at 1.
  const legend = [...Object.keys(ROWS), `line: ${runs[0]}${runs.length > 1 ? `, dashes: ${runs.slice(1).join(", ")}` : ""}`].map((text, i) => ({
    ...{ text, updates: 100, mean: 0.92 - 0.065 * i, measure: MEASURES.named, row: text in ROWS ? text : null },
  }));
  const line = (run, i) => Plot.lineY(points.filter((p) => p.run === run), { ...at, y: "mean", ...(i > 0 && { strokeDasharray: "4 3" }) });
  return chart({
    width: 720,
    height: 640,
    marginLeft: 50,
    marginRight: 150,
    x: { label: "updates of the student" },
    y: { label: "share of the base's", grid: true, ticks: 4 },
    fy: { label: null, domain: Object.values(MEASURES) },
    style: { background: "white", fontSize: "12px" },
    color: { domain: Object.keys(ROWS), range: ["#666666", "#d1495b", "#00798c"], unknown: "#333333" },
    marks: [
      Plot.ruleY([1], { strokeOpacity: 0.4 }),
      Plot.areaY(points.filter((p) => p.run === runs[0] && p.low !== null), { x: "updates", fy: "measure", y1: "low", y2: "high", z: "row", fill: "row", fillOpacity: 0.12 }),
      ...runs.map(line),
      ...runs.map((run) => Plot.dot(points.filter((p) => p.run === run), { ...at, y: "mean", r: 2 })),
      Plot.text(legend, { x: "updates", y: "mean", fy: "measure", text: "text", fill: "row", textAnchor: "start", dx: 8, fontWeight: "bold" }),
    ],
  });
}

const file = existsSync(given.file) ? JSON.parse(readFileSync(given.file, "utf8")) : { prompts: PROMPTS.length, seeds: given.seeds, rows: [] };
if (given.run) await measureRun(file, given.run, given.out);
if (given.figure) writeFileSync(given.figure, await figure(file.rows));
