// What experiments on a pair of this repository take: prompts of some pictures, and CLIP features of how they really look.
//     node pair/world.js made embedded                                 the held-out characters
//     node pair/world.js made packages/pair-emoji emoji training 2048    emoji; so many of the training set, evenly spaced
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { csvFormatRows } from "d3-dsv";
import { openEvaluator, openPair } from "variegate";
import { referenceFile } from "variegate/experiments";

const [, , made = "made", to = "embedded", name = "embedded", set = "held-out", most = "2048"] = process.argv;
const all = JSON.parse(readFileSync(`${made}/data/${set}/captions.json`, "utf8"));
const count = Math.min(Number(most), all.length);
const places = Array.from({ length: count }, (_, i) => Math.floor((i * all.length) / count));
const captions = places.map((place) => all[place]);
// NumPy's .npy: magic, version, length of the header (little-endian, 2 bytes at 8), header, then uint8 [N, 64, 64, 3].
const file = readFileSync(`${made}/data/${set}/images.npy`);
const pixels = file.subarray(10 + file.readUInt16LE(8));
const size = 64 * 64 * 3;
const images = places.map((i) => ({ width: 64, height: 64, data: pixels.subarray(i * size, (i + 1) * size) }));

mkdirSync(`${to}/world`, { recursive: true });
const rows = [["case_number", "prompt", "evaluation_seed"], ...captions.map(([first], i) => [`${i}`, first, `${i}`])];
writeFileSync(`${to}/world/prompts.csv`, `${csvFormatRows(rows)}\n`);
const pair = await openPair({ pair: name });
const { clip } = await openEvaluator(pair);
writeFileSync(`${to}/world/real.safetensors`, referenceFile({ clip: await clip.images(images) }));
await pair.close();
