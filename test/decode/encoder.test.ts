import { afterAll, describe, expect, it } from "vitest";
import { createEncoder, decodeLatents } from "../../src/decode/index.js";
import { generate } from "../../src/generate/index.js";
import { openPair } from "../../src/open/index.js";
import { count, type RgbImage, sample } from "../../src/tensor/index.js";

const pair = await openPair({}, { threads: 1 });
afterAll(() => pair.close());

/** An image of the pair, not square: decoded at 64 × 48 pixels. */
async function imageOf(width: number, height: number): Promise<{ image: RgbImage; latents: Float32Array }> {
  for await (const event of generate(pair, {
    prompts: ["a red cartoon character"],
    seeds: [3],
    size: { width, height },
  }))
    if (event.type === "image") return { image: event.image, latents: event.latents.data };
  throw new Error("no image");
}

describe("createEncoder", { timeout: 60_000 }, () => {
  it("inverts the decoder, in the denoiser's scale", async () => {
    const { image, latents } = await imageOf(64, 48);
    const { mean, std } = await createEncoder(pair.engine.runtime, pair.decoder).encode(image);
    expect(mean.shape).toEqual([1, 4, 12, 16]);
    expect(std.shape).toEqual(mean.shape);
    expect(Math.min(...std.data)).toBeGreaterThan(0);
    expect(Math.max(...std.data)).toBeLessThan(1);
    // An autoencoder is no exact inverse; a wrong scale or a shift would leave most of the latents' variance.
    const [off, all] = [...latents].reduce(
      ([o, a], v, i) => [o + (v - (mean.data[i] ?? 0)) ** 2, a + v ** 2] as const,
      [0, 0] as readonly [number, number],
    );
    expect(off / all).toBeLessThan(0.1);
    const [again] = await decodeLatents(pair.decoder, sample(mean, 0), { memoryBudget: 1e9 });
    const mad = image.data.reduce((s, v, i) => s + Math.abs(v - (again?.data[i] ?? 0)), 0) / image.data.length;
    expect(mad).toBeLessThan(8);
  });

  it("computes (z − shift − mean) · scale / std of each channel", async () => {
    const { image } = await imageOf(64, 48);
    const plain = createEncoder(pair.engine.runtime, pair.decoder);
    const { config, weights } = pair.decoder;
    const scaling = { scale: 2, shift: 0.5, mean: [0, 1, 0, 0], std: [1, 4, 1, 1] };
    const other = createEncoder(pair.engine.runtime, { config: { ...config, scaling }, weights });
    const [a, b] = [await plain.encode(image), await other.encode(image)];
    const own = config.scaling.scale;
    const plane = count([12, 16]);
    for (const c of [0, 1]) {
      const at = c * plane + 7;
      const z = (a.mean.data[at] ?? 0) / own;
      expect(b.mean.data[at]).toBeCloseTo(c === 0 ? (z - 0.5) * 2 : ((z - 1.5) * 2) / 4, 4);
      expect((b.std.data[at] ?? 0) / (a.std.data[at] ?? 1)).toBeCloseTo((c === 0 ? 2 : 0.5) / own, 4);
    }
  });

  it("refuses sizes that the latents cannot have", async () => {
    const image = { width: 65, height: 48, data: new Uint8Array(65 * 48 * 3) };
    await expect(createEncoder(pair.engine.runtime, pair.decoder).encode(image)).rejects.toThrow(
      "the image is 65 × 48; expected multiples of 4 pixels",
    );
  });
});
