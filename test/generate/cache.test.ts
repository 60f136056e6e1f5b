import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createGenerateCache, type GenerateCache, type GenerateRequest, generate } from "../../src/generate/index.js";
import { createRecent } from "../../src/generate/recent.js";
import { type OpenedPair, openPair } from "../../src/open/index.js";

const REQUEST: GenerateRequest = {
  prompts: ["a cartoon character wearing a crown"],
  seeds: [3, 5],
  size: { width: 64, height: 48 },
};

let pair: OpenedPair;
beforeAll(async () => {
  pair = await openPair({ threads: 1 });
});
afterAll(() => pair.close());

/** What a run yields: its pixels and x0 by step, and the model calls and sessions that it took. */
async function run(request: GenerateRequest, cache: GenerateCache | null) {
  const images: number[][] = [];
  const x0: number[][] = [];
  let [calls, loaded] = [0, 0];
  for await (const event of generate(pair, request, undefined, cache)) {
    if (event.type === "image") images.push([...event.image.data]);
    if (event.type === "step") x0.push([event.step, event.seed, ...event.x0.data]);
    if (event.type === "loaded") loaded++;
    if (event.type === "done") calls = event.calls;
  }
  // Samples with more rows from the cache run in a group of their own, after each other.
  x0.sort(([a = 0, seed = 0], [b = 0, other = 0]) => a - b || seed - other);
  return { images, x0, calls, loaded };
}

/** Runs a change with what a run before it left, and compares with a run on its own. Returns the model calls that were made. */
async function callsAfter(first: GenerateRequest, change: GenerateRequest): Promise<number> {
  const cache = createGenerateCache(50e6);
  await run(first, cache);
  const { calls, ...reused } = await run(change, cache);
  const alone = await run(change, null);
  // Another batch rounds differently: a new seed runs alone here, beside the others there.
  expect(farthest(reused.images, alone.images)).toBeLessThanOrEqual(1);
  expect(farthest(reused.x0, alone.x0)).toBeLessThan(1e-4);
  return calls;
}

/** Largest difference of two lists of values; NaN where one lacks a value. */
const farthest = (a: readonly (readonly number[])[], b: readonly (readonly number[])[]): number =>
  Math.max(...b.map((values, i) => Math.max(...values.map((v, j) => Math.abs((a[i]?.[j] ?? Number.NaN) - v)))));

describe("a run after another on one cache", { timeout: 240_000 }, () => {
  const slider = (scale: number, on: "base" | "distilled") => ({
    ...REQUEST,
    adapters: [{ ref: "smile.distilled", scale, on }],
  });
  it.each<[string, GenerateRequest, GenerateRequest, number]>([
    ["the same run", REQUEST, REQUEST, 0],
    ["another switch: the base's first step is used again", REQUEST, { ...REQUEST, switch: 2 }, 6],
    ["another seed", REQUEST, { ...REQUEST, seeds: [3, 5, 8] }, 4],
    ["guidance of the distilled steps", REQUEST, { ...REQUEST, guidance: 2 }, 12],
    ["another prompt", REQUEST, { ...REQUEST, prompts: ["a red cartoon character"] }, 8],
    ["another size", REQUEST, { ...REQUEST, size: { width: 48, height: 64 } }, 8],
    ["a slider on the distilled model", slider(1, "distilled"), slider(2, "distilled"), 6],
    ["a slider on the base", slider(1, "base"), slider(2, "base"), 8],
    [
      "a solver that draws noise",
      { ...REQUEST, scheduler: "euler_a" },
      { ...REQUEST, scheduler: "euler_a", switch: 2 },
      6,
    ],
    [
      "a solver with a history",
      { ...REQUEST, scheduler: "UniPCMultistepScheduler", steps: 5, mode: "distilled" },
      { ...REQUEST, scheduler: "UniPCMultistepScheduler", steps: 5, mode: "distilled" },
      0,
    ],
    ["a diversity method of the first step", REQUEST, { ...REQUEST, diversity: [{ method: "cads" }] }, 8],
    ["one model at a time", REQUEST, { ...REQUEST, offload: "sequential", switch: 2 }, 6],
  ])("computes what changed, and equals a run on its own: %s", async (_, first, change, calls) => {
    expect(await callsAfter(first, change)).toBe(calls);
  });

  it("loads no session for another scale of an adapter, 0 included", async () => {
    const cache = createGenerateCache(50e6);
    await run(slider(1, "distilled"), cache);
    for (const scale of [2, 0, -1]) {
      const { loaded, calls } = await run(slider(scale, "distilled"), cache);
      expect({ loaded, calls }).toEqual({ loaded: 0, calls: 6 });
    }
  });

  it("computes again what did not fit in its memory", async () => {
    const cache = createGenerateCache(1_000);
    await run(REQUEST, cache);
    expect((await run(REQUEST, cache)).calls).toBe(8);
  });
});

describe("values of limited size", () => {
  it("drops the least recently used", () => {
    const recent = createRecent<number>(26);
    recent.set("a", 1, 8);
    recent.set("b", 2, 8);
    expect(recent.get("a")).toBe(1);
    recent.set("c", 3, 8);
    expect(["a", "b", "c"].map((key) => recent.get(key))).toEqual([1, undefined, 3]);
    recent.set("d", 4, 25);
    expect(recent.get("d")).toBe(undefined);
  });

  it("never holds more than its limit, and holds the latest value that fits", () => {
    const work = fc.array(fc.tuple(fc.constantFrom("a", "b", "c", "d"), fc.integer({ min: 0, max: 30 })));
    fc.assert(
      fc.property(work, (all) => {
        const recent = createRecent<{ size: number }>(40);
        for (const [key, size] of all) {
          recent.set(key, { size }, size);
          expect(recent.get(key)).toEqual({ size });
          const held = ["a", "b", "c", "d"].flatMap((k) => recent.get(k) ?? []);
          expect(held.reduce((n, value) => n + value.size + 2, 0)).toBeLessThanOrEqual(40);
        }
      }),
    );
  });
});
