import fc from "fast-check";
import { afterAll, describe, expect, it, vi } from "vitest";
import { type GenerateRequest, generate, type Pair } from "../../src/generate/index.js";
import { openPair } from "../../src/open/index.js";
import { temporaryFolder } from "../support/folder.js";

process.env["XDG_CACHE_HOME"] = temporaryFolder();
const pairs = await Promise.all([openPair({}, { threads: 1 }), openPair({ compute: "int8" }, { threads: 1 })]);
afterAll(() => Promise.all(pairs.map((pair) => pair.close())));

/** Final latents of one run. */
async function latents(pair: Pair, asked: Partial<GenerateRequest>): Promise<Float32Array> {
  const request = { prompts: ["a cartoon character"], seeds: [4], ...asked };
  let last: Float32Array = new Float32Array();
  for await (const event of generate(pair, request)) if (event.type === "image") last = event.latents.data;
  return last;
}
const farthest = (a: Float32Array, b: Float32Array) =>
  a.length === b.length ? a.reduce((w, v, i) => Math.max(w, Math.abs(v - (b[i] ?? Number.NaN))), 0) : Number.NaN;

const slider = (name: string, scale: number) => ({
  adapters: [{ ref: `embedded:sliders/${name}.base.safetensors`, scale }],
});
/** Different adapters, sizes, modes and loading strategies. */
const REQUESTS: readonly Partial<GenerateRequest>[] = [
  { mode: "distilled" },
  { mode: "distilled", ...slider("smile", 2) },
  { mode: "distilled", ...slider("eye-size", -2) },
  { mode: "hybrid", size: { width: 96, height: 64 } },
  { mode: "hybrid", offload: "sequential" },
  { mode: "base", steps: 2, guidance: 3, ...slider("smile", 1) },
];

describe("runs at the same time", { timeout: 240_000 }, () => {
  it("give what each gives alone, on one pair and on two precisions of the same files", async () => {
    const alone: Float32Array[][] = [];
    for (const pair of pairs) {
      const own: Float32Array[] = [];
      for (const request of REQUESTS) own.push(await latents(pair, request));
      alone.push(own);
    }
    // The requests differ, so that a mix-up shows.
    for (const [plain, smiling] of alone) expect(plain && smiling && farthest(plain, smiling)).toBeGreaterThan(0.01);
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray(
          REQUESTS.map((_, i) => i),
          { minLength: 3 },
        ),
        async (order) => {
          const together = await Promise.all(
            pairs.flatMap((pair, p) => order.map(async (i) => [p, i, await latents(pair, REQUESTS[i] ?? {})] as const)),
          );
          for (const [p, i, made] of together) expect(farthest(made, alone[p]?.[i] ?? made)).toBeLessThan(1e-4);
        },
      ),
      { numRuns: 2 },
    );
  });

  it("on pairs that are opened at the same time", async () => {
    const opened = await Promise.all(Array.from({ length: 3 }, () => openPair({}, { threads: 1 })));
    try {
      const made = await Promise.all(opened.map((pair) => latents(pair, { mode: "distilled" })));
      for (const each of made) expect(farthest(each, made[0] ?? each)).toBeLessThan(1e-4);
    } finally {
      await Promise.all(opened.map((pair) => pair.close()));
    }
  });

  it("share calls with rows of the base and of a distilled LoRA, of different prompts", async () => {
    const pair = await openPair({ pair: "embedded-lora" }, { threads: 1, joinCalls: 8 });
    const asked: readonly Partial<GenerateRequest>[] = [
      { mode: "hybrid", switch: 2, prompts: ["a cartoon character with a hat"], seeds: [1, 2] },
      { mode: "distilled" },
      { mode: "hybrid", steps: 6, ...slider("smile", 2) },
      { mode: "hybrid", steps: 6, prompts: ["a smiling cartoon character"] },
    ];
    const calls: { timesteps: readonly number[]; scales: readonly number[] }[] = [];
    const { runtime } = pair.engine;
    const load = runtime.load.bind(runtime);
    vi.spyOn(runtime, "load").mockImplementation(async (...given) => {
      const session = await load(...given);
      const run: typeof session.run = (feeds, held) => {
        const { timestep, adapter_scales } = feeds;
        const [batch = 0] = timestep?.shape ?? [];
        const own = (i: number) => Number(adapter_scales?.data[(i * adapter_scales.data.length) / batch]);
        if (timestep)
          calls.push({
            timesteps: [...timestep.data].map(Number),
            scales: Array.from({ length: batch }, (_, i) => own(i)),
          });
        return session.run(feeds, held);
      };
      return { ...session, run };
    });
    try {
      const alone = [];
      for (const request of asked) alone.push(await latents(pair, request));
      const separate = calls.splice(0).length;
      const isMixed = ({ scales, timesteps }: (typeof calls)[number]) =>
        scales.includes(0) && scales.some((s) => s > 0) && new Set(timesteps).size > 1;
      // Which calls wait at the same time is the machine's matter.
      for (let tries = 0; tries < 8 && !calls.some(isMixed); tries++) {
        calls.length = 0;
        const together = await Promise.all(asked.map((request) => latents(pair, request)));
        for (const [i, made] of together.entries()) expect(farthest(made, alone[i] ?? made)).toBeLessThan(1e-4);
        expect(calls.length).toBeLessThan(separate);
      }
      expect(calls.some(isMixed)).toBe(true);
    } finally {
      await pair.close();
    }
  });
});
