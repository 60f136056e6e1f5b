import { writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { safetensors } from "../../src/checkpoint/index.js";
import { type SlideEvent, type SlideRequest, slide } from "../../src/control/index.js";
import { RequestError } from "../../src/errors.js";
import { generate } from "../../src/generate/index.js";
import { openPair } from "../../src/open/index.js";
import { createRng, type RgbImage } from "../../src/tensor/index.js";
import { temporaryFolder } from "../support/folder.js";

const LAYER = "mid_block.resnets.0.conv1";
const file = path.join(temporaryFolder(), "slider.safetensors");
const pair = await openPair({}, { threads: 1 });
afterAll(() => pair.close());
const [out = 0, inputs = 0] = (await pair.base.weights()).weights.get(`${LAYER}.weight`)?.shape ?? [];
const key = `lora_unet_${LAYER.replaceAll(".", "_")}`;
writeFileSync(
  file,
  safetensors({
    [`${key}.lora_down.weight`]: createRng(1).randn([4, inputs, 3, 3]),
    [`${key}.lora_up.weight`]: createRng(2).randn([out, 4, 1, 1]),
  }),
);
const request: SlideRequest = {
  prompt: "a cartoon character",
  slider: file,
  scales: [-0.3, 0, 0.3],
  seeds: [3, 5],
  size: { width: 64, height: 48 },
  modes: ["distilled", "hybrid"],
  concept: "a smiling cartoon character",
};

async function run(asked: SlideRequest) {
  let last: SlideEvent | undefined;
  for await (const event of slide(pair, asked)) last = event;
  if (last?.type !== "slide") throw new Error("a slide ends with itself");
  return last;
}

describe("slide", { timeout: 240_000 }, async () => {
  const done = await run(request);

  it("generates every seed of every mode at every scale", () => {
    expect(done.strips.map((s) => [s.mode, s.seed, s.images.length])).toEqual([
      ["distilled", 3, 3],
      ["distilled", 5, 3],
      ["hybrid", 3, 3],
      ["hybrid", 5, 3],
    ]);
  });

  it("at scale 0 generates what generate generates", async () => {
    for await (const event of generate(pair, {
      prompts: [request.prompt],
      seeds: [3],
      mode: "distilled",
      size: { width: 64, height: 48 },
    })) {
      if (event.type !== "image") continue;
      const middle = done.strips[0]?.images[1];
      const farthest = event.image.data.reduce((w, v, i) => Math.max(w, Math.abs(v - (middle?.data[i] ?? 999))), 0);
      expect(farthest).toBeLessThanOrEqual(1);
    }
  });

  it("measures what each scale changes: nothing at 0, something elsewhere", () => {
    for (const { stops } of done.slide.rows) {
      expect(stops.map((s) => s.scale)).toEqual([-0.3, 0, 0.3]);
      expect(stops[1]).toMatchObject({ change: { mean: 0 }, distance: { mean: 0 } });
      for (const i of [0, 2]) expect(stops[i]?.distance?.mean).toBeGreaterThan(1e-3);
      expect(stops[1]?.pixels.mean).toBe(0);
      expect(stops[0]?.clipScore?.mean).not.toBe(stops[2]?.clipScore?.mean);
    }
  });

  it("compares pixels with those of the same seed at scale 0, or else at the first scale", async () => {
    const difference = (a: RgbImage | undefined, b: RgbImage | undefined) =>
      Math.sqrt(
        [...(a?.data ?? [])].reduce((sum, v, i) => sum + ((v - (b?.data[i] ?? 0)) / 255) ** 2, 0) / (3 * 64 * 48),
      );
    const [one, two] = done.strips.filter(({ mode }) => mode === "distilled").map(({ images }) => images);
    const mean = (difference(one?.[2], one?.[1]) + difference(two?.[2], two?.[1])) / 2;
    expect(done.slide.reference).toBe(0);
    expect(done.slide.rows[0]?.stops[2]?.pixels.mean).toBeCloseTo(mean, 9);
    const { concept: _, ...plain } = request;
    const other = await run({ ...plain, scales: [0.3, 0.6], seeds: [3], modes: ["distilled"], clip: "none" });
    expect(other.slide.reference).toBe(0.3);
    const [first, second] = other.slide.rows[0]?.stops ?? [];
    expect([first?.distance, first?.clipScore, first?.pixels.mean]).toEqual([null, null, 0]);
    const [images] = other.strips.map((strip) => strip.images);
    expect(second?.pixels.mean).toBeCloseTo(difference(images?.[1], images?.[0]), 9);
    expect(second?.pixels.mean).toBeGreaterThan(1e-3);
  });

  it("refuses what cannot be", async () => {
    await expect(run({ ...request, scales: [] })).rejects.toThrow(RequestError);
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    vi.stubEnv("HF_HUB_CACHE", temporaryFolder());
    const bare = { ...pair, row: null };
    await expect(slide(bare, { ...request, clip: "none" }).next()).rejects.toThrow(/--clip/);
    await expect(slide(bare, request).next()).rejects.toThrow(/--clip/);
  });
});
