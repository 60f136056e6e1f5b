/**
 * Measures where a hybrid loses diversity. The base runs to the second row of the distilled schedule in one step or in several; the kept
 * share of the base's diversity is printed as a Markdown table.
 *
 *     node scripts/base-steps.js [seeds, default 32]
 */
import { readFileSync } from "node:fs";
import { evaluate, generate, keptDiversity, openEvaluator, openPair } from "variegate";

const PROMPTS = JSON.parse(readFileSync(new URL("../pair/prompts.json", import.meta.url), "utf8"));
const ddim = (baseSteps) => ({ baseScheduler: "DDIMScheduler", baseSpacing: "trailing", baseSteps });
/** With trailing spacing, two of 8 and seven of 25 steps lie above t = 749. */
const BASE_STEPS = {
  "none (the distilled model)": { mode: "distilled" },
  "one LCM step": { handoff: "lcm" },
  "one DDIM step (the hybrid, k = 1)": { handoff: "ddim" },
  "two DDIM steps of eight": ddim(8),
  "seven DDIM steps of 25": ddim(25),
};

const seeds = Array.from({ length: Number(process.argv[2] ?? 32) }, (_, i) => i);
const pair = await openPair();
const evaluator = await openEvaluator(pair);
async function read(request) {
  const images = PROMPTS.map(() => []);
  for await (const event of generate(pair, { ...request, prompts: PROMPTS, seeds }))
    if (event.type === "image") images[event.prompt].push(event.image);
  return evaluate(evaluator, images, PROMPTS);
}
const cell = ({ mean, low, high }) => `${mean.toFixed(2)} [${low.toFixed(2)}, ${high.toFixed(2)}]`;
const print = (line) => process.stdout.write(`${line}\n`);

const base = await read({ mode: "base" });
print("| base steps to t = 749 | classifier distance | CLIP distance | entropy |\n|---|---|---|---|");
for (const [name, request] of Object.entries(BASE_STEPS)) {
  const { distance, attributes } = keptDiversity(await read({ mode: "hybrid", switch: 1, ...request }), base);
  print(`| ${[name, ...[attributes.distance, distance, attributes.entropy].map(cell)].join(" | ")} |`);
}
await pair.close();
