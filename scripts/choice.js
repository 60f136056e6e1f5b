/**
 * Measures the choice of 8 of 32 seeds after the first step, beside the first 8, with each hand-off on two students. Goes on where it was
 * stopped; report.md and report.html are in the folder.
 *
 *     node scripts/choice.js [folder, default out/choice]
 *
 * Fixed before it was run: the first 32 prompts of the pair's list, the default weight of the fit and none.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { variegate } from "./program.js";
import { worldPrompts } from "./world-prompts.js";

const out = path.resolve(process.argv[2] ?? fileURLToPath(new URL("../out/choice", import.meta.url)));
mkdirSync(out, { recursive: true });

const VARIETY = ["distance", "entropy"];
const ADHERENCE = ["accuracy", "clip-score"];
const FITS = [
  ["without fit", { chooseFit: 0 }],
  ["default fit", {}],
];
const choose = { keep: 8, of: 32 };
const cases = ["embedded", "embedded-lora"].flatMap((pair) => ["lcm", "ddim"].map((handoff) => ({ pair, handoff })));
const claim = (measure, row, is, than) => ({ says: `${row}: ${measure}`, measure, row, is, than });

const definition = {
  name: "choice",
  title: "8 of 32 seeds",
  prompts: [...new Set(worldPrompts())].slice(0, 32),
  seeds: 8,
  measures: [...VARIETY, ...ADHERENCE, "calls", "time"],
  rows: cases.flatMap(({ pair, handoff }) => {
    const sampling = { mode: "hybrid", switch: 1, handoff };
    const name = `${pair}, ${handoff}`;
    const chosen = FITS.map(([fit, settings]) => ({
      name: `${name}, ${fit}`,
      models: { pair },
      sampling: { ...sampling, choose, ...settings },
    }));
    return [{ name, models: { pair }, sampling }, ...chosen];
  }),
  claims: cases.flatMap(({ pair, handoff }) =>
    FITS.flatMap(([fit]) => {
      const [row, than] = [`${pair}, ${handoff}, ${fit}`, `${pair}, ${handoff}`];
      return [
        ...VARIETY.map((m) => claim(m, row, "more", than)),
        ...ADHERENCE.map((m) => claim(m, row, "at least as much", than)),
      ];
    }),
  ),
};
const file = path.join(out, "choice.json");
writeFileSync(file, JSON.stringify(definition));
variegate("experiment", "run", file, "--out", path.join(out, "results"), "--resume");
