// The numbers of the embedded pair's model card, measured with Variegate itself: node pair/card.js [--seeds 64] [--prompts 16] [--slow] [--pair embedded-lora]
import { parseArgs } from "node:util";
import { generate, keptVariety, openPair, openScorer, summarise } from "variegate";

const { values } = parseArgs({ options: { seeds: { type: "string", default: "64" }, prompts: { type: "string", default: "16" }, slow: { type: "boolean", default: false }, pair: { type: "string", default: "embedded" } } });
const PROMPTS = [
  "a cartoon character", "a red cartoon character", "a cartoon character wearing a top hat", "a smiling round blue cartoon character",
  "a cartoon character with cat ears on a teal background", "a green cartoon character with one eye",
  "a square cartoon character wearing a crown", "a cartoon character on a navy background",
  "a tall red cartoon character wearing a crown", "a round red cartoon character on a gray background",
  "a wide green cartoon character with one eye and antennae", "a yellow cartoon character with antennae wearing a crown",
  "a square cartoon character with one eye and antennae", "a pink cartoon character with horns on a brown background",
  "a smiling wide purple cartoon character with three eyes", "a blue cartoon character with horns wearing a top hat",
].slice(0, Number(values.prompts));
const MODES = {
  "base, 25 steps": { mode: "base" },
  distilled: { mode: "distilled" },
  "hybrid, k = 1": { mode: "hybrid", switch: 1 },
  "hybrid, k = 1, base guidance 3": { mode: "hybrid", switch: 1, baseGuidance: 3 },
  "hybrid, k = 2": { mode: "hybrid", switch: 2 },
  ...(values.slow && { "base, 50 steps": { mode: "base", steps: 50 } }),
};

const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => i);
const show = (e) => (e === null ? "–" : `${e.mean.toFixed(3)} [${e.low?.toFixed(3) ?? "–"}, ${e.high?.toFixed(3) ?? "–"}]`);
const pair = await openPair({ pair: values.pair });
const scorer = await openScorer(pair);
console.log("| mode | calls | judge distance | CLIP distance | entropy of free factors, nats | named factors right | CLIP score |");
console.log("|---|---|---|---|---|---|---|");
const kept = [];
let base;
for (const [name, request] of Object.entries(MODES)) {
  const images = PROMPTS.map(() => []);
  let calls = 0;
  for await (const event of generate(pair, { ...request, prompts: PROMPTS, seeds })) {
    if (event.type === "image") images[event.prompt].push(event.image);
    if (event.type === "done") calls = event.calls / event.images;
  }
  const reading = await scorer.read(images, PROMPTS);
  base ??= reading;
  if (reading !== base) kept.push([name, keptVariety(reading, base)]);
  const { distance, adherence, factors } = summarise(reading);
  const cells = [name, calls, show(factors.distance), show(distance), show(factors.entropy), show(factors.namedRight), show(adherence)];
  console.log(`| ${cells.join(" | ")} |`);
}
console.log("\n| of the base's variety | judge distance | CLIP distance | entropy of free factors |\n|---|---|---|---|");
for (const [name, { distance, factors }] of kept) {
  console.log(`| ${name} | ${show(factors.distance)} | ${show(distance)} | ${show(factors.entropy)} |`);
}
await pair.close();
