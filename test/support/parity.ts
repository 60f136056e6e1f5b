/** What parity/ recorded under test/goldens: descriptions, tensors, and how near is near enough. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import type { z } from "zod";
import { readFloats } from "../../src/checkpoint/index.js";
import { openWeights } from "../../src/checkpoint/node/index.js";
import { count, type FloatTensor, float } from "../../src/tensor/index.js";

export const GOLDENS = fileURLToPath(new URL("../goldens/", import.meta.url));
export const EMBEDDED = fileURLToPath(new URL("../../embedded/", import.meta.url));

/** Tolerances, as issue 3 states them: largest difference over the root mean square of what is expected; bytes of 255. */
export const NETWORK = 1e-4;
export const LATENTS = 1e-3;
export const PIXELS = 2;

/** Names of the goldens in a folder, in order. */
export const namesIn = (folder: string): string[] =>
  readdirSync(`${GOLDENS}${folder}`)
    .filter((file) => file.endsWith(".json"))
    .map((file) => file.slice(0, -".json".length))
    .sort();

/** The description of a golden. @throws ZodError when it is not what `schema` says */
export function description<S extends z.ZodType>(name: string, schema: S): z.output<S> {
  return schema.parse(JSON.parse(readFileSync(`${GOLDENS}${name}.json`, "utf8")));
}

/** The tensors of a golden: floats by name (undefined where there is none), and bytes of those stored as such. */
export interface Recorded {
  readonly names: readonly string[];
  float(key: string): FloatTensor;
  has(key: string): boolean;
  bytes(key: string): Uint8Array;
}

/** Reads the tensors of a golden. */
export async function tensors(name: string): Promise<Recorded> {
  const file = `${GOLDENS}${name}.safetensors`;
  const { weights } = await openWeights(file);
  const raw = readFileSync(file);
  const floats = new Map<string, FloatTensor>();
  for (const [key, weight] of weights) {
    if (weight.dtype !== "uint8") floats.set(key, float(weight.shape, await readFloats(weight)));
  }
  return {
    names: [...weights.keys()],
    float(key) {
      const found = floats.get(key);
      if (!found) throw new Error(`the golden ${name} has no ${key}; it has ${[...weights.keys()].join(", ")}`);
      return found;
    },
    has: (key) => weights.has(key),
    bytes(key) {
      const place = weights.get(key)?.bytes;
      if (place?.in !== "source") throw new Error(`the golden ${name} has no ${key}`);
      return raw.subarray(place.offset, place.offset + place.length);
    },
  };
}

/** Largest difference over the root mean square of what is expected; infinite where a value is not a number or lengths differ. */
export function farthest(actual: Float32Array, expected: Float32Array): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let [worst, squares] = [0, 0];
  for (const [i, e] of expected.entries()) {
    const difference = Math.abs((actual[i] ?? Number.NaN) - e);
    if (!Number.isFinite(difference)) return Number.POSITIVE_INFINITY;
    worst = Math.max(worst, difference);
    squares += e * e;
  }
  return worst / (Math.sqrt(squares / expected.length) || 1);
}

/** Holds shape and values against what was recorded; with a stride only every so many values were. */
export function expectClose(
  actual: FloatTensor,
  expected: FloatTensor,
  { within, what, shape = expected.shape, stride = 1 }: Closeness,
): void {
  expect(actual.shape, `${what}: shape`).toEqual(shape);
  expect(actual.data.length).toBe(count(shape));
  const taken = stride === 1 ? actual.data : actual.data.filter((_, i) => i % stride === 0);
  expect(farthest(taken, expected.data), `${what}: relative error`).toBeLessThanOrEqual(within);
}

export interface Closeness {
  readonly within: number;
  readonly what: string;
  readonly shape?: readonly number[];
  readonly stride?: number;
}

/** Largest difference of two rows of bytes; 255 where lengths differ. */
export function farthestByte(actual: Uint8Array, expected: Uint8Array): number {
  if (actual.length !== expected.length) return 255;
  return expected.reduce((worst, e, i) => Math.max(worst, Math.abs((actual[i] ?? 0) - e)), 0);
}
