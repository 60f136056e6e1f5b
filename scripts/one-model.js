/**
 * Trains one distilled model that keeps its diversity, and a plain one by the same number of updates, and compares them with the base and the
 * hybrid of a pair. Goes on where it was stopped; report.md and report.html are in the folder.
 *
 *     node scripts/one-model.js [--pair emoji] [--out folder, default out/one-model]
 *
 * Fixed before it was run: 800 updates, all other options of training are the defaults, with seed 0; the last weights are measured, on 64 prompts
 * of the pair's list × 16 seeds. The aim of the single model is the hybrid's diversity, with the adherence and the fidelity of the plain one.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { variegate } from "./program.js";
import { worldPrompts } from "./world-prompts.js";

const { values: given } = parseArgs({
  options: {
    pair: { type: "string", default: "embedded" },
    out: { type: "string", default: fileURLToPath(new URL("../out/one-model", import.meta.url)) },
  },
});
const { pair } = given;
const out = path.join(path.resolve(given.out), pair);
mkdirSync(out, { recursive: true });

/** Distils the base by distribution matching, unless it is done. @returns the file of the LoRA */
function distilled(name, ...options) {
  const folder = path.join(out, name);
  const file = path.join(folder, "distill.safetensors");
  if (existsSync(file)) return file;
  const going = existsSync(folder) ? ["--resume"] : [];
  const settings = ["--pair", pair, "--method", "dmd2", "--iterations", "800", ...options];
  variegate("train", "distill", ...settings, "--out", folder, ...going);
  return file;
}

const plain = { pair, distilled: distilled("plain") };
const kept = { pair, distilled: distilled("kept", "--keep-diversity") };

const row = (name, mode, models = {}) => ({
  name,
  sampling: { mode, ...(mode === "hybrid" && { switch: 1 }) },
  models,
});
const claim = (measure, name, is, than) => ({ says: `${name}: ${measure}`, measure, row: name, is, than });
const definition = {
  name: "one-model",
  title: "One distilled model that keeps its diversity",
  prompts: [...new Set(worldPrompts(pair))].slice(0, 64),
  seeds: 16,
  measures: ["distance", "entropy", "accuracy", "clip-score", "kernel", "sharpness", "calls", "time"],
  rows: [
    row("base", "base"),
    row("distilled", "distilled", plain),
    row("hybrid", "hybrid", plain),
    row("single", "distilled", kept),
    // Says where the single model loses what the hybrid has: in its own first step, or after it.
    row("hybrid of the single", "hybrid", kept),
    row("the pair's distilled model", "distilled"),
    row("the pair's hybrid", "hybrid"),
  ],
  claims: [
    ...["distance", "entropy"].flatMap((measure) => [
      claim(measure, "single", "more", "distilled"),
      claim(measure, "single", "at least as much", "hybrid"),
      claim(measure, "single", "at least as much", "hybrid of the single"),
    ]),
    ...["accuracy", "clip-score"].map((measure) => claim(measure, "single", "at least as much", "distilled")),
    claim("kernel", "single", "less", "distilled"),
  ],
};
const file = path.join(out, "one-model.json");
writeFileSync(file, JSON.stringify(definition));
variegate("experiment", "run", file, "--pair", pair, "--out", path.join(out, "results"), "--resume");
