import os from "node:os";
import { describe, expect, it } from "vitest";
import {
  castsOf,
  decodingBytes,
  type GenerateEvent,
  type GenerateRequest,
  generate,
  memoryNeeds,
  memoryUses,
  type Pair,
  strategyNeeds,
} from "../../src/generate/index.js";
import { createBuilder, workingBytes } from "../../src/graph/index.js";
import { machineBudget, openPair } from "../../src/open/index.js";
import { checkpointFolder } from "../support/checkpoint.js";

async function run(pair: Pair, request: Omit<GenerateRequest, "prompts">): Promise<GenerateEvent[]> {
  const events: GenerateEvent[] = [];
  for await (const event of generate(pair, { prompts: ["a red cartoon character"], ...request })) events.push(event);
  return events;
}

const pictures = (events: readonly GenerateEvent[]) =>
  new Map(events.flatMap((e) => (e.type === "image" ? [[e.seed, e.image.data] as const] : [])));
const farthest = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((most, v, i) => Math.max(most, Math.abs(v - (b[i] ?? Number.NaN))), 0);

describe("memory", { timeout: 240_000 }, () => {
  it("counts what is alive at the same time", () => {
    // x [B, 8] 32 bytes a sample; a = tanh x; b = a + a (a goes); y = b · x: x, b and y are alive at the end
    const g = createBuilder();
    const x = g.input("x", ["B", 8]);
    const a = g.tanh(x);
    const b = g.add(a, g.reshape(a, ["B", 8]));
    const graph = g.finish({ y: g.mul(b, x) });
    expect(workingBytes(graph, 1)).toBe(3 * 32);
    expect(workingBytes(graph, 5)).toBe(5 * 3 * 32);
    // kept for the end as well: one more
    const h = createBuilder();
    const u = h.input("x", ["B", 8]);
    const v = h.tanh(u);
    expect(workingBytes(h.finish({ y: h.add(v, v), z: h.mul(u, u), w: v }), 1)).toBe(4 * 32);
  });

  it("runs one model after the other where the weights do not fit together, in smaller batches, with the same pictures", async () => {
    const plenty = await openPair({}, { threads: 1 });
    const needs = await memoryNeeds(plenty, "float32");
    const dual = needs.find((n) => n.offload === "none")?.stored ?? 0;
    // On OpenVINO the stored float16 is kept as float32 too.
    const widened = await memoryNeeds(plenty, "bfloat16", "openvino");
    expect(widened.every((n, i) => n.stored === n.bytes && n.bytes > 1.4 * (needs[i]?.bytes ?? 0))).toBe(true);
    const usual = await run(plenty, { mode: "hybrid", seeds: [1, 2, 3] });
    await plenty.close();
    expect(usual.some((e) => e.type === "adjusted")).toBe(false);

    const little = await openPair({}, { threads: 1, memoryBudget: dual });
    expect(memoryUses(needs, dual)).toMatchObject([
      { offload: "none", bytes: dual, fits: false },
      { offload: "sequential", fits: true },
    ]);
    const events = await run(little, { mode: "hybrid", seeds: [1, 2, 3] });
    const fitted = events.find((e) => e.type === "adjusted");
    expect(fitted).toMatchObject({ offload: "sequential" });
    expect(fitted?.type === "adjusted" && fitted.why[0]).toMatch(/--offload sequential/);
    for (const [seed, image] of pictures(usual)) {
      expect(farthest(pictures(events).get(seed) ?? [], image)).toBeLessThanOrEqual(1);
    }
    // Asked for, it is done as asked.
    const asked = await run(little, { mode: "hybrid", offload: "none" });
    expect(asked.some((e) => e.type === "adjusted")).toBe(false);
    await little.close();

    const none = await openPair({}, { threads: 1, memoryBudget: 1 });
    const alone = await run(none, { mode: "distilled", seeds: [1, 2, 3], batch: 3 });
    await none.close();
    expect(alone.find((e) => e.type === "adjusted")).toMatchObject({ offload: "sequential", batch: 1 });
    expect(pictures(alone).size).toBe(3);
  });

  it("upcasts half precision at load where the memory budget is large, else in every call, with the same pictures", async () => {
    const generated = [];
    for (const memoryBudget of [undefined, 1]) {
      const pair = await openPair(
        { base: checkpointFolder("sd1") },
        { threads: 1, ...(memoryBudget && { memoryBudget }) },
      );
      expect(pair.engine.upcast).toBe(memoryBudget ? "per-call" : "at-load");
      generated.push(pictures(await run(pair, { steps: 2, seeds: [4] })).get(4) ?? new Uint8Array());
      await pair.close();
    }
    const [once = [], call = []] = generated;
    expect(once.length).toBeGreaterThan(0);
    expect(farthest(once, call)).toBeLessThanOrEqual(1);
  });

  it("counts the calls of the phase that takes most, and a quarter where they are not known", () => {
    const size = (bytes: number) => ({ bytes, stored: bytes, packed: bytes });
    const parts = { text: size(10), base: size(30), distilled: size(30), decoder: size(5), isLora: true };
    const working = { text: 1, base: 4, distilled: 4, decoder: 40 };
    const uses = memoryUses(strategyNeeds(parts, working), 100);
    // 10 + 30 + 5 of weights and 1 + 4 + 40 of calls; 75 and 49; the decoder alone.
    expect(uses).toEqual([
      { offload: "shared", bytes: 45, peak: 90, fits: true },
      { offload: "none", bytes: 75, peak: 124, fits: false },
      { offload: "sequential", bytes: 30, peak: 45, fits: true },
    ]);
    const unknown = memoryUses(strategyNeeds(parts), 100);
    expect(unknown.map(({ peak, fits }) => [peak, fits])).toEqual([
      [null, true],
      [null, true],
      [null, true],
    ]);
    expect(memoryUses(strategyNeeds(parts), 99)[1]?.fits).toBe(false);
  });

  it("counts casts of the largest weight five times, and decoding in tiles where it takes less", () => {
    const weight = (name: string, dtype: "float32" | "float16", shape: number[]) =>
      [
        name,
        { name, dtype, shape, bytes: { in: "memory", source: { name: "none" }, bytes: new Uint8Array() } },
      ] as const;
    const weights = new Map([
      weight("shared.weight", "float16", [1000, 10]),
      weight("layer.weight", "float16", [20, 10]),
      weight("other.weight", "float32", [50, 10]),
    ]);
    expect(castsOf({ source: "none", weights })).toBe(5 * 4 * 200);
    expect(decodingBytes(1e9, { width: 1024, height: 512 })).toBe(1e9);
    expect(decodingBytes(3e9, { width: 1024, height: 512 })).toBe(4 * 384 * 1024 * 512 + 0.4e9);
  });

  it("takes four fifths of the machine, or of less where the process is held to less", () => {
    expect(machineBudget()).toBeLessThanOrEqual(0.8 * os.totalmem());
    expect(machineBudget()).toBeGreaterThan(0);
  });
});
