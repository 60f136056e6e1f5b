import { afterAll, describe, expect, it } from "vitest";
import { RequestError } from "../../src/errors.js";
import { generate } from "../../src/generate/index.js";
import { openPair } from "../../src/open/index.js";
import { resizeBicubic } from "../../src/tensor/index.js";
import { type Recording, type TraceEvent, type TraceRequest, trace } from "../../src/trajectory/index.js";

const pair = await openPair({}, { threads: 1 });
afterAll(() => pair.close());

const request: TraceRequest = {
  prompt: "a cartoon character wearing a party hat",
  seeds: [1, 4],
  fullSteps: 6,
  size: { width: 64, height: 48 },
  watch: ["a party hat"],
};

function correlation(a: readonly number[], b: readonly number[]): number {
  const centred = (v: readonly number[]) => v.map((x) => x - v.reduce((n, y) => n + y, 0) / v.length);
  const [p, q] = [centred(a), centred(b)];
  const dot = (x: readonly number[], y: readonly number[]) => x.reduce((n, v, i) => n + v * (y[i] ?? 0), 0);
  return dot(p, q) / Math.sqrt(dot(p, p) * dot(q, q));
}

async function run(asked: TraceRequest, kept: readonly Recording[] = []) {
  const events: TraceEvent[] = [];
  for await (const event of trace(pair, asked, kept)) events.push(event);
  const last = events.at(-1);
  if (last?.type !== "trace") throw new Error("a trace ends with itself");
  return { events, ...last };
}

describe("trace", { timeout: 240_000 }, async () => {
  const full = await run(request);

  it("has every step of every mode and seed, with x0 and x_t as images", () => {
    expect(full.trace.modes.map((m) => [m.mode, m.steps.map((s) => s.model)])).toEqual([
      ["base", Array(6).fill("base")],
      ["distilled", Array(4).fill("distilled")],
      ["hybrid", ["base", "distilled", "distilled", "distilled"]],
    ]);
    expect(full.images.map((p) => [p.mode, p.seed, p.x0.length, p.xt.length])).toEqual([
      ["base", 1, 6, 6],
      ["base", 4, 6, 6],
      ["distilled", 1, 4, 4],
      ["distilled", 4, 4, 4],
      ["hybrid", 1, 4, 4],
      ["hybrid", 4, 4, 4],
    ]);
    for (const { x0 } of full.images) expect([x0[0]?.width, x0[0]?.height]).toEqual([64, 48]);
  });

  it("reads attributes of x0 at every step, which end as those of the image", () => {
    for (const { steps, agreement } of full.trace.modes) {
      expect(agreement).toHaveLength(steps.length);
      expect(agreement?.at(-1)).toBe(1);
      expect(agreement?.[0]).toBeLessThan(1);
    }
  });

  it("ends where generate ends, and every curve falls to nothing there", async () => {
    const hybrid = full.recordings.find((r) => r.mode === "hybrid");
    const { prompt, seeds = [], size } = request;
    for await (const event of generate(pair, { prompts: [prompt], seeds, ...(size && { size }), mode: "hybrid" })) {
      if (event.type !== "image") continue;
      const track = hybrid?.tracks.find((t) => t.seed === event.seed);
      const farthest = track?.final.data.reduce(
        (w, v, i) => Math.max(w, Math.abs(v - (event.latents.data[i] ?? 0))),
        0,
      );
      expect(farthest).toBeLessThan(1e-4);
    }
    for (const { mode, commit } of full.trace.modes) {
      for (const curve of [commit.latent, commit.pixel, commit.perceptual]) {
        expect(curve?.perSeed.length).toBe(2);
        expect(curve?.mean[0]?.mean).toBeGreaterThan(0);
        // The base's last step ends at ᾱ(0), a hair's breadth from its x0.
        expect(curve?.mean.at(-1)?.mean).toBeLessThan(mode === "base" ? 0.05 : 1e-6);
      }
    }
  });

  it("says what each single row changes: nothing for none, something for each", () => {
    const [alone, ...replaced] = full.trace.causal ?? [];
    expect(alone).toMatchObject({ row: null, change: { latent: 0, pixel: 0 } });
    expect(replaced.map((r) => [r.row, r.timestep])).toEqual([
      [0, 999],
      [1, 749],
      [2, 499],
      [3, 249],
    ]);
    for (const r of replaced) expect(r.change.latent).toBeGreaterThan(0.01);
    // Giving row 0 to the base is the hybrid: the same ends.
    const hybrid = full.trace.modes.find((m) => m.mode === "hybrid");
    expect(replaced[0]?.diversity?.latent).toBeCloseTo(hybrid?.spread?.latent.at(-1) ?? Number.NaN, 3);
  });

  it("likens every step to a watched phrase", () => {
    for (const { steps, watched } of full.trace.modes) {
      expect(watched[0]?.similarity.map((s) => s.length)).toEqual([steps.length, steps.length]);
      expect(watched[0]?.similarity.flat().every((v) => v >= -1 && v <= 1)).toBe(true);
    }
    // The hat is there in the end, more than in the first guess.
    const base = full.trace.modes[0]?.watched[0]?.similarity ?? [];
    expect(base.reduce((n, s) => n + (s.at(-1) ?? 0) - (s[0] ?? 0), 0)).toBeGreaterThan(0);
  });

  it("does not run again what was recorded before", async () => {
    const again = await run(request, full.recordings);
    expect(again.events.some((e) => e.type === "step" && e.causal === undefined)).toBe(false);
    expect(again.trace.modes).toEqual(full.trace.modes);
  });

  it("shows latents as colours without a decoder, much like the images", async () => {
    const quick = await run({ ...request, preview: "rgb", causal: false, watch: [] }, full.recordings);
    expect(quick.trace.causal).toBeNull();
    const pairs = quick.images.flatMap(({ x0 }, i) => {
      const [shown, whole] = [x0.at(-1), full.images[i]?.final];
      return shown && whole ? [{ shown, whole: resizeBicubic(whole, 16, 12) }] : [];
    });
    expect(pairs.length).toBe(6);
    for (const { shown } of pairs) expect([shown.width, shown.height]).toEqual([16, 12]);
    const flat = (of: "shown" | "whole") => pairs.flatMap((p) => [...p[of].data]);
    expect(correlation(flat("shown"), flat("whole"))).toBeGreaterThan(0.6);
  });

  it("refuses what cannot be before anything runs", async () => {
    await expect(run({ ...request, preview: "taesd" })).rejects.toThrow(/--taesd/);
    await expect(run({ ...request, watch: ["a hat", " "] })).rejects.toThrow(/--watch is empty; expected a phrase/);
    await expect(run({ ...request, switch: 9 })).rejects.toThrow(RequestError);
    await expect(run({ ...request, size: { width: 63, height: 64 } })).rejects.toThrow(/multiple/);
    const bare = { ...pair, row: null };
    await expect(trace(bare, request).next()).rejects.toThrow(/--watch "a party hat" needs a CLIP.*--clip/);
    const alone = { ...bare, distilled: null };
    await expect(trace(alone, { prompt: "x", modes: ["hybrid"] }).next()).rejects.toThrow(/needs a distilled model/);
  });
});
