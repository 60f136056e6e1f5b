/** Reads the prompts and reference images of an experiment. */
import { statSync } from "node:fs";
import path from "node:path";
import { safetensors } from "../checkpoint/index.js";
import { readTensors, readText } from "../checkpoint/node/index.js";
import { FileError, RequestError } from "../errors.js";
import { csvRows } from "../files/index.js";
import { type LookupOptions, locate } from "../lookup/index.js";
import { readFolder } from "../measure/index.js";
import { productsOn } from "../networks/index.js";
import { counted, float } from "../tensor/index.js";
import type { PromptSeed } from "./definition.js";
import { featuresOf, type Models } from "./models.js";
import type { Reference } from "./sample-set.js";

/**
 * Reads prompts from a `.csv` with a column prompt and optionally evaluation_seed (like coco_30k.csv: case_number, prompt,
 * evaluation_seed), or from a `.txt` with one per line and seed 0. @throws FileError with the columns found
 */
export async function readPromptSeeds(ref: string, lookup: LookupOptions = {}): Promise<PromptSeed[]> {
  const ending = path.extname(ref).toLowerCase();
  if (ending !== ".csv" && ending !== ".txt") throw new RequestError(`--prompts ${ref}: expected a .csv or .txt file`);
  const text = (await readText(await locate(ref, "file", lookup))) ?? "";
  const found =
    ending === ".csv" ? fromCsv(ref, text) : text.split(/\r?\n/).map((line) => ({ prompt: line.trim(), seed: 0 }));
  const prompts = found.filter((p) => p.prompt !== "");
  if (prompts.length === 0) throw new FileError(ref, "has no prompts");
  return prompts;
}

function fromCsv(file: string, text: string): PromptSeed[] {
  const [head = [], ...rows] = csvRows(file, text);
  const names = head.map((h) => h.trim().toLowerCase());
  const [prompt, seed] = [names.indexOf("prompt"), names.indexOf("evaluation_seed")];
  if (prompt < 0) throw new FileError(file, `expected a column prompt; it has: ${head.join(", ") || "nothing"}`);
  return rows.map((row, i) => {
    const value = seed < 0 ? 0 : Number(row[seed]);
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new FileError(file, `row ${i + 2}: evaluation_seed is ${JSON.stringify(row[seed])}, not an integer`);
    }
    return { prompt: (row[prompt] ?? "").trim(), seed: value };
  });
}

/** Reads reference images: a folder, or a `.safetensors` file with a tensor of features [N, D] for each instrument. */
export async function readReference(ref: string, models: Models): Promise<Reference> {
  const place = await locate(ref, "file", models.pair.lookup);
  const multiply = productsOn(models.pair.engine.runtime);
  if (!statSync(place).isDirectory()) {
    const features: Record<string, Float32Array[]> = {};
    for (const [name, { shape, data }] of await readTensors(place)) {
      const [n = 0, d = 0] = shape;
      features[name] = Array.from({ length: n }, (_, i) => data.slice(i * d, (i + 1) * d));
    }
    return { features, multiply, about: `features in ${ref}` };
  }
  const { groups } = await readFolder(place, {});
  const files = groups.flatMap((g) => g.images);
  const features: Record<string, Float32Array[]> = {};
  for (let at = 0; at < files.length; at += CHUNK) {
    const images = await Promise.all(files.slice(at, at + CHUNK).map((file) => file.load()));
    for (const [name, f] of Object.entries(await featuresOf(models, images))) {
      features[name] ??= [];
      features[name].push(...f);
    }
  }
  return { features, multiply, about: `${counted(files.length, "image")} in ${ref}` };
}

/** Number of images in memory at a time. */
const CHUNK = 64;

/** Encodes features as a file for `readReference`. */
export const referenceFile = (features: Readonly<Record<string, readonly Float32Array[]>>): Uint8Array =>
  safetensors(
    Object.fromEntries(
      Object.entries(features).map(([name, rows]) => {
        const d = rows[0]?.length ?? 0;
        const data = new Float32Array(rows.length * d);
        for (const [i, row] of rows.entries()) data.set(row, i * d);
        return [name, float([rows.length, d], data)];
      }),
    ),
  );
