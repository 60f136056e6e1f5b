// What experiments on the embedded pair take: prompts of the held-out characters, and CLIP features of how they really look.
//     node pair/world.js made embedded
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { csvFormatRows } from "d3-dsv";
import { openEvaluator, openPair } from "variegate";
import { referenceFile } from "variegate/experiments";

const [, , made = "made", to = "embedded"] = process.argv;
const captions = JSON.parse(readFileSync(`${made}/data/held-out/captions.json`, "utf8"));
// NumPy's .npy: magic, version, length of the header (little-endian, 2 bytes at 8), header, then uint8 [N, 64, 64, 3].
const file = readFileSync(`${made}/data/held-out/images.npy`);
const pixels = file.subarray(10 + file.readUInt16LE(8));
const size = 64 * 64 * 3;
const images = captions.map((_, i) => ({ width: 64, height: 64, data: pixels.subarray(i * size, (i + 1) * size) }));

mkdirSync(`${to}/world`, { recursive: true });
const rows = [["case_number", "prompt", "evaluation_seed"], ...captions.map(([first], i) => [`${i}`, first, `${i}`])];
writeFileSync(`${to}/world/prompts.csv`, `${csvFormatRows(rows)}\n`);
const pair = await openPair();
const { clip } = await openEvaluator(pair);
writeFileSync(`${to}/world/real.safetensors`, referenceFile({ clip: await clip.images(images) }));
await pair.close();
