/**
 * Measures how well a LoRA of each rank replaces the distilled model: extracts LoRAs of several ranks from the embedded pair, and compares
 * their images with the distilled model's. Prints a Markdown table.
 *
 *     node scripts/ranks.js [seeds, default 16]
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { evaluate, extractAdapter, generate, openEvaluator, openPair, summarise } from "variegate";
import { adapterTensors } from "variegate/adapters";
import { safetensors } from "variegate/checkpoint";
import { writeWhole } from "variegate/files";
import { openRuntime } from "variegate/runtime/node";

const PROMPTS = JSON.parse(readFileSync(new URL("../pair/prompts.json", import.meta.url), "utf8")).slice(0, 6);
const print = (line) => process.stdout.write(`${line}\n`);
const seeds = Array.from({ length: Number(process.argv[2] ?? 16) }, (_, i) => i);
const request = { scheduler: "LCMScheduler", timesteps: [999, 749, 499, 249], guidance: 0, prompts: PROMPTS, seeds };
const folder = mkdtempSync(path.join(tmpdir(), "variegate-ranks-"));

async function imagesOf(pair, options) {
  const images = PROMPTS.map(() => []);
  for await (const event of generate(pair, { ...request, ...options }))
    if (event.type === "image") images[event.prompt].push(event.image);
  return images;
}
const embedded = await openPair();
const evaluator = await openEvaluator(embedded);
const numbers = async (images) => {
  const { distance, attributes, clipScore } = summarise(await evaluate(evaluator, images, PROMPTS));
  return [...[distance, attributes.entropy].map((e) => e.mean.toFixed(3)), clipScore.mean.toFixed(1)];
};
/** Root mean square difference of all images, of 255. */
function difference(a, b) {
  let [sum, n] = [0, 0];
  for (const [i, row] of a.entries()) {
    for (const [j, { data }] of row.entries()) {
      for (const [k, v] of data.entries()) sum += (v - b[i][j].data[k]) ** 2;
      n += data.length;
    }
  }
  return Math.sqrt(sum / n).toFixed(1);
}

try {
  const reference = await imagesOf(embedded, { mode: "distilled" });
  print(
    "| rank | of the difference | file (fp32) | difference of the images (of 255) | CLIP distance | entropy, nats | CLIP score |",
  );
  print("|---|---|---|---|---|---|---|");
  const rows = [8, 16, 32, 64, 160].flatMap((rank) => [
    [String(rank), { rank, energy: 1 }, false],
    [`${rank}, with biases`, { rank, energy: 1 }, true],
  ]);
  const runtime = openRuntime();
  for (const [name, keep, biases] of [["0 (the base)", undefined], ...rows]) {
    let images = [];
    let facts = ["–", "–"];
    if (keep) {
      const { adapter, model, kept } = await extractAdapter(
        { from: "embedded:base", to: "embedded:distilled", keep, biases },
        runtime,
      );
      const file = path.join(folder, `${name}.safetensors`);
      const bytes = safetensors(adapterTensors(adapter, "kohya", model));
      await writeWhole(file, bytes);
      facts = [`${(100 * kept).toFixed(0)} %`, `${(bytes.length / 1e6).toFixed(1)} MB`];
      const pair = await openPair({ base: "embedded:base", distilled: file });
      images = await imagesOf(pair, { mode: "distilled", offload: "shared" });
      await pair.close();
    } else images = await imagesOf(embedded, { mode: "base" });
    print(`| ${[name, ...facts, difference(images, reference), ...(await numbers(images))].join(" | ")} |`);
  }
  print(`| ${["the distilled model", "100 %", "–", "0", ...(await numbers(reference))].join(" | ")} |`);
  await runtime.close();
  await embedded.close();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
