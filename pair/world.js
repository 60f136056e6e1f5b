// What experiments on a pair of this repository take: prompts of some pictures, and CLIP features of how they really look; and what the pictures that
// a prompt of the card is true of show, where they were not drawn for the pair.
//     node pair/world.js made embedded                                 the held-out characters
//     node pair/world.js made packages/pair-emoji emoji training 2048    emoji; so many of the training set, evenly spaced
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { csvFormatRows } from "d3-dsv";
import { openEvaluator, openPair } from "variegate";
import { referenceFile } from "variegate/experiments";
import { mutualInformation } from "variegate/metrics";
import { openClassifier } from "variegate/open";
import { CARDS } from "./cards.js";

const [, , made = "made", to = "embedded", name = "embedded", set = "held-out", most = "2048"] = process.argv;
const SETS = ["training", "held-out", "drawings"];
const SIZE = 64 * 64 * 3;
const json = (of, file) => JSON.parse(readFileSync(`${made}/data/${of}/${file}.json`, "utf8"));

/** Pictures of a set. NumPy's .npy: magic, version, length of the header (little-endian, 2 bytes at 8), header, then uint8 [N, 64, 64, 3]. */
function picturesOf(of) {
  const file = readFileSync(`${made}/data/${of}/images.npy`);
  const pixels = file.subarray(10 + file.readUInt16LE(8));
  return (i) => ({ width: 64, height: 64, data: pixels.subarray(i * SIZE, (i + 1) * SIZE) });
}

/** What the pictures whose captions have a prompt show, as the classifier reads them: entropy in nats, mean probabilities, and how often each value. */
async function shownBy(prompt, classifier) {
  const sets = SETS.filter((of) => existsSync(`${made}/data/${of}/captions.json`)).map((of) => ({ of, factors: json(of, "factors"), captions: json(of, "captions") }));
  const found = sets.flatMap(({ of, factors, captions }) => {
    const picture = picturesOf(of);
    return captions.flatMap((said, i) => (said.includes(prompt) ? [{ image: picture(i), factors: factors[i] }] : []));
  });
  const read = await classifier.classify(found.map((f) => f.image));
  const attributes = Object.keys(classifier.config.factors).map((f) => {
    const open = new Set(found.map(({ factors }) => factors[f])).size > 1;
    const p = read.map((r) => r.probabilities[f]);
    const mean = p[0].map((_, v) => Number((p.reduce((sum, x) => sum + x[v], 0) / p.length).toFixed(5)));
    const values = {};
    for (const { attributes } of read) values[attributes[f]] = (values[attributes[f]] ?? 0) + 1;
    return [f, { nats: open ? Number(mutualInformation(p).toFixed(5)) : 0, mean, values }];
  });
  return { pictures: found.length, ...Object.fromEntries(attributes) };
}

const all = json(set, "captions");
const count = Math.min(Number(most), all.length);
// A set in an order of its own is sampled evenly and then walked in strides, so that the first prompts, which some experiments take, are from all of it.
const STRIDE = 1265; // odd, about 2048 / golden ratio
const strided = (i) => (count < all.length ? (i * STRIDE) % count : i);
const places = Array.from({ length: count }, (_, i) => Math.floor((strided(i) * all.length) / count));
const picture = picturesOf(set);

mkdirSync(`${to}/world`, { recursive: true });
const rows = [["case_number", "prompt", "evaluation_seed"], ...places.map((place, i) => [`${i}`, all[place][0], `${i}`])];
writeFileSync(`${to}/world/prompts.csv`, `${csvFormatRows(rows)}\n`);
const pair = await openPair({ pair: name });
const { clip } = await openEvaluator(pair);
writeFileSync(`${to}/world/real.safetensors`, referenceFile({ clip: await clip.images(places.map(picture)) }));
if (CARDS[name]?.shares) {
  const classifier = await openClassifier(pair.row.judge, pair.engine.runtime);
  const shown = {};
  for (const prompt of CARDS[name].prompts) shown[prompt] = await shownBy(prompt, classifier);
  writeFileSync(`${to}/world/shown.json`, `${JSON.stringify(shown)}\n`);
}
await pair.close();
