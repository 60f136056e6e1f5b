// Measures every number of a pair's model card with Variegate itself, and holds the card against them:
//     npm run card
//     npm run card -- --pair emoji
// Ends with 1 when a number of the card is further from what was measured than its column's tolerance; --update writes the card instead.
import { readFileSync, writeFileSync } from "node:fs";
import { Command, InvalidArgumentError } from "commander";
import { evaluate, generate, keptDiversity, openEvaluator, openPair, slide, summarise } from "variegate";
import { mutualInformation, shannonEntropy, valueCoverage } from "variegate/metrics";
import { openClassifier } from "variegate/open";
import { CARDS } from "./cards.js";
import { judged, openWorld, psnr, reconstructed, zeroShot } from "./instruments.js";
import { differences, markdown, shown, updated } from "./tables.js";

const MEASURED = { modes: measureModes, instruments: measureInstruments, sliders: measureSliders, adapters: measureAdapters };
const fail = (message) => {
  throw new InvalidArgumentError(message);
};
const count = (said) => (/^[1-9]\d*$/.test(said) ? Number(said) : fail("Give a whole number from 1 on."));
const one = (table) => (name) => (Object.hasOwn(table, name) ? name : fail(`There are ${Object.keys(table).join(", ")}.`));
// 1 says that a number does not hold; a request that makes no sense ends with 2, as elsewhere.
const given = new Command("card")
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .addHelpText("before", "Examples:\n  npm run card -- --tables instruments,sliders\n  npm run card -- --pair emoji --seeds 16\n")
  .description("Measures a pair's model card and holds it against what was measured.")
  .option("--pair <name>", "whose card", one(CARDS), "embedded")
  .option("--tables <names>", "some of the tables, with commas between them", (said) => said.split(",").map(one(MEASURED)), Object.keys(MEASURED))
  .option("--seeds <count>", "pictures of a prompt", count, 64)
  .option("--prompts <count>", "the first so many prompts", count, 16)
  .option("--update", "write the card instead")
  .option("--json <file>", "write what was measured there too")
  .parse()
  .opts();
const { folder: FOLDER, modes: MODES, slides: SLIDES, adapters: ADAPTERS = {}, shares: SHARES, ...card } = CARDS[given.pair];
const CARD = `${FOLDER}/README.md`;
const PROMPTS = card.prompts.slice(0, given.prompts);
const SEEDS = Array.from({ length: given.seeds }, (_, i) => i);

/** Of an attribute that a prompt leaves open, the world's own entropy in nats; 0 where the world leaves nothing open. */
const worldsOwn = ({ priors, shown }, prompt, f) => (shown ? (shown[prompt]?.[f]?.nats ?? 0) : shannonEntropy(priors[f]));

/** Entropy of factors over the prompts that leave them free, as a share of the world's own: both free of bias by the number of images. */
function shareOfWorld({ probabilities, named }, world, factors) {
  const free = probabilities.flatMap((pictures, p) =>
    factors.filter((f) => !(f in named[p]) && worldsOwn(world, PROMPTS[p], f) > 0).map((f) => ({ p: pictures.map((x) => x[f]), own: worldsOwn(world, PROMPTS[p], f) })),
  );
  const sum = (of) => free.reduce((total, each) => total + of(each), 0);
  return free.length === 0 ? "–" : (sum(({ p }) => mutualInformation(p)) / sum(({ own }) => own)).toFixed(3);
}

/** Share of the values which the set shows for a prompt that the images reach, beside what as many pictures of the set reach, as the classifier reads both. */
function coverageOf({ predicted, named }, { shown }, f) {
  const found = predicted.flatMap((pictures, p) => {
    const there = shown[PROMPTS[p]]?.[f];
    if (f in named[p] || !there?.nats) return [];
    const real = Object.entries(there.values).flatMap(([value, n]) => Array(n).fill(value));
    return valueCoverage(pictures.map((x) => String(x[f])), real) ?? [];
  });
  const mean = (key) => (found.reduce((sum, c) => sum + c[key], 0) / found.length).toFixed(3);
  return found.length === 0 ? "–" : `${mean("reached")} of ${mean("ceiling")}`;
}

/** Shares of the values of some attributes in the pictures of some prompts: by the classifier's probabilities. */
function sharesOf({ probabilities }, names, values) {
  const pictures = names.flatMap((prompt) => probabilities[PROMPTS.indexOf(prompt)] ?? []);
  return Object.entries(values).flatMap(([f, all]) => all.map((_, v) => (pictures.reduce((sum, x) => sum + x[f][v], 0) / pictures.length).toFixed(3)));
}

/** Mean difference of neighbouring pixels, along both axes, in units of −1…1: smeared pictures have less of it. */
function sharpness({ width, data }) {
  const along = (step, inside) => {
    let sum = 0;
    let count = 0;
    for (let i = 0; i + step * 3 < data.length; i++) {
      if (!inside(Math.floor(i / 3) % width)) continue;
      sum += Math.abs(data[i + step * 3] - data[i]);
      count++;
    }
    return sum / count / 127.5;
  };
  return along(1, (x) => x + 1 < width) + along(width, () => true);
}

/** What the pictures of each mode are like, in the table's columns and as shares of the first mode's. */
async function measureModes(world) {
  const rows = [];
  const kept = [];
  const each = [];
  const names = Object.keys(world.priors);
  const covered = [];
  const people = [];
  const values = SHARES && PROMPTS.includes(SHARES.prompts[0]) ? Object.fromEntries(SHARES.attributes.map((f) => [f, world.values[f]])) : null;
  const said = values && Object.entries(values).flatMap(([f, all]) => all.map((v) => `${f} ${v}`));
  if (values) people.push(["the set", ...Object.entries(values).flatMap(([f, all]) => sharesInSet(world, f, all))]);
  let base;
  for (const [name, of, request] of MODES) {
    const pair = await openPair({ pair: of });
    const evaluator = await openEvaluator(pair);
    const images = PROMPTS.map(() => []);
    for await (const event of generate(pair, { ...request, prompts: PROMPTS, seeds: SEEDS })) {
      if (event.type === "image") images[event.prompt].push(event.image);
    }
    const reading = await evaluate(evaluator, images, PROMPTS);
    await pair.close();
    base ??= reading;
    const { distance, clipScore, attributes } = summarise(reading);
    const sharp = images.flat().reduce((sum, image) => sum + sharpness(image), 0) / (PROMPTS.length * SEEDS.length);
    const share = (factors) => shareOfWorld(reading.attributes, world, factors);
    rows.push([name, shown(attributes.distance), shown(distance), shown(attributes.entropy), share(names), shown(attributes.accuracy), (clipScore.mean / 100).toFixed(3), sharp.toFixed(3)]);
    process.stderr.write(`${rows.at(-1).join("  ")}\n`);
    each.push([name, ...names.map((f) => share([f]))]);
    if (world.shown) covered.push([name, ...names.map((f) => coverageOf(reading.attributes, world, f))]);
    if (values) people.push([name, ...sharesOf(reading.attributes, SHARES.prompts, values)]);
    if (reading === base) continue;
    const { distance: seen, attributes: read } = keptDiversity(reading, base);
    kept.push([name, ...[read.distance, seen, read.entropy].map((e) => shown(e, 2))]);
  }
  return [
    {
      head: ["mode", "judge distance", "CLIP distance", "entropy of free factors", "of the world's", "named factors right", "CLIP score", "sharpness"],
      rows,
      tolerances: [0, 0.005, 0.01, 0.05, 0.01, 0.01, 0.01, 0.003],
    },
    { head: ["of the base's variety", "judge distance", "CLIP distance", "entropy"], rows: kept, tolerances: [0, 0.02, 0.02, 0.02] },
    { head: ["of the world's entropy", ...names], rows: each, tolerances: [0, ...names.map(() => 0.02)] },
    ...(world.shown ? [{ head: ["values of the set reached", ...names], rows: covered, tolerances: [0, ...names.map(() => 0.03)] }] : []),
    ...(values ? [{ head: ["people", ...said], rows: people, tolerances: [0, ...said.map(() => 0.02)] }] : []),
  ];
}

/** Shares of an attribute's values in the set's pictures of the prompts of people, by the classifier's probabilities. */
function sharesInSet({ shown }, f, all) {
  const total = SHARES.prompts.reduce((sum, prompt) => sum + shown[prompt].pictures, 0);
  return all.map((_, v) => (SHARES.prompts.reduce((sum, prompt) => sum + shown[prompt][f].mean[v] * shown[prompt].pictures, 0) / total).toFixed(3));
}

async function measureInstruments({ images, factors, prompts }) {
  const pair = await openPair({ pair: given.pair });
  const back = await reconstructed(pair, images);
  const names = Object.keys(prompts);
  const row = (name, found) => [name, ...names.map((f) => found[f].toFixed(3)), ...["eye_size", "smile"].map((f) => found[f]?.toFixed(3) ?? "–"), "–"];
  const again = row("judge, on reconstructions", await judged(pair, back, factors));
  const rows = [row("judge", await judged(pair, images, factors)), [...again.slice(0, -1), psnr(images, back).toFixed(2)], row("CLIP, zero-shot", await zeroShot(pair, images, factors, prompts))];
  await pair.close();
  return [{ head: ["read right", ...names, "eye size off by", "smile off by", "dB"], rows, tolerances: [0, ...names.map(() => 0.005), 0.005, 0.005, 0.05] }];
}

/** What the judge reads of each slider's factor along its scales, and how far the other number moves at most. */
async function measureSliders() {
  if (!SLIDES) return [];
  const { prompt, scales, sliders } = SLIDES;
  const rows = [];
  const pair = await openPair();
  for (const [name, reads] of Object.entries(sliders)) {
    for (const mode of ["base", "distilled"]) {
      const slider = `embedded:sliders/${name}.${mode}.safetensors`;
      for await (const event of slide(pair, { prompt, scales, seeds: SEEDS, slider, modes: [mode] })) {
        if (event.type !== "slide") continue;
        const read = (factor) => event.slide.rows[0].stops.map((s) => s.readings[factor].mean);
        const [own, other] = [read(reads), read(Object.values(sliders).find((f) => f !== reads))];
        const rises = own.every((v, i) => i === 0 || v > own[i - 1]);
        const moved = Math.max(...other.map((v) => Math.abs(v - other[scales.indexOf(0)])));
        rows.push([`${name}, ${mode}`, ...own.map((v) => v.toFixed(3)), rises ? "yes" : "no", moved.toFixed(3)]);
      }
    }
  }
  await pair.close();
  return [{ head: ["slider", ...scales.map((s) => String(s).replace("-", "−")), "rises throughout", "the other moves by"], rows, tolerances: [0, ...scales.map(() => 0.01), 0, 0.01] }];
}

/** The share of wanted values that the judge reads, with an adapter and, as far as chance has it, without. */
async function measureAdapters() {
  const rows = [];
  for (const [name, { with: parts, prompt, wanted }] of Object.entries(ADAPTERS)) {
    const cells = [];
    for (const mode of ["base", "distilled"]) {
      for (const [reference, said] of [[{}, "a cartoon character"], [parts, prompt]]) {
        const pair = await openPair(reference);
        const classifier = await openClassifier(pair.row.judge, pair.engine.runtime);
        const images = [];
        for await (const event of generate(pair, { mode, prompts: [said], seeds: SEEDS })) if (event.type === "image") images.push(event.image);
        const seen = await classifier.classify(images);
        await pair.close();
        const right = seen.flatMap(({ attributes }) => Object.entries(wanted).map(([f, values]) => Number(values.includes(attributes[f]))));
        cells.push((right.reduce((a, b) => a + b, 0) / right.length).toFixed(3));
      }
    }
    rows.push([name, ...cells]);
  }
  return rows.length === 0 ? [] : [{ head: ["adapter", "base without", "base", "distilled without", "distilled"], rows, tolerances: [0, 0.02, 0.02, 0.02, 0.02] }];
}

const world = await openWorld(FOLDER);
const tables = [];
for (const name of given.tables) tables.push(...(await MEASURED[name](world)));
console.log(tables.map(markdown).join("\n\n"));
if (given.json) writeFileSync(given.json, JSON.stringify({ pair: given.pair, prompts: PROMPTS, seeds: SEEDS, tables }, null, 1));

const text = readFileSync(CARD, "utf8");
if (given.update) writeFileSync(CARD, tables.reduce(updated, text));
else {
  const wrong = tables.flatMap((table) => differences(text, table));
  for (const { row, column, says, measured } of wrong) console.error(`${row}, ${column}: the card says ${says}, measured ${measured}`);
  console.error(wrong.length === 0 ? "every number of the card holds" : `${wrong.length} numbers of the card do not hold`);
  process.exitCode = wrong.length === 0 ? 0 : 1;
}
