import { afterAll, describe, expect, it } from "vitest";
import { readFloats } from "../../src/checkpoint/index.js";
import { openComponentWeights } from "../../src/checkpoint/node/index.js";
import { createEncoder, decodeLatents } from "../../src/decode/index.js";
import { generate } from "../../src/generate/index.js";
import { autoencoderOf } from "../../src/models/index.js";
import { openPair } from "../../src/open/index.js";
import { count, type RgbImage, sample } from "../../src/tensor/index.js";
import { componentFolder, componentGolden, stemOf } from "../support/checkpoint.js";

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

  it("folds squares of FLUX.2's latents into channels, and scales them by the statistics of its batch norm", async () => {
    const golden = componentGolden("vae-flux2");
    const index = await openComponentWeights(componentFolder("vae-flux2"), stemOf(golden));
    const config = await autoencoderOf(golden.class, { file: "config.json", config: golden.config });
    if (config.kind !== "kl" || !config.folding) throw new Error("the autoencoder does not fold its latents");
    const [factor, channels] = [config.scaleFactor, config.latentChannels];
    const [width, height] = [3 * factor, 2 * factor];
    const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * 37) % 251);
    const weights = async () => index;
    const { mean, std } = await createEncoder(pair.engine.runtime, { config, weights }).encode({ width, height, data });
    const plain = { ...config, folding: null, scaleFactor: factor / 2 };
    const raw = await createEncoder(pair.engine.runtime, { config: plain, weights }).encode({ width, height, data });
    expect([mean.shape, std.shape]).toEqual([1, 2].map(() => [1, 4 * channels, 2, 3]));
    const statistic = async (name: string) => {
      const weight = index.weights.get(`bn.${name}`);
      return weight ? readFloats(weight) : new Float32Array();
    };
    const [means, variances] = [await statistic("running_mean"), await statistic("running_var")];
    // Channel 4 c + 2 i + j holds row i and column j of each square of channel c.
    for (const [c, i, j, y, x] of [
      [0, 0, 0, 0, 0],
      [1, 1, 0, 1, 2],
      [channels - 1, 0, 1, 0, 1],
    ] as const) {
      const [from, channel] = [(c * 4 + 2 * y + i) * 6 + 2 * x + j, 4 * c + 2 * i + j];
      const at = (channel * 2 + y) * 3 + x;
      const deviation = Math.sqrt((variances[channel] ?? 0) + config.folding.epsilon);
      expect(mean.data[at]).toBeCloseTo(((raw.mean.data[from] ?? 0) - (means[channel] ?? 0)) / deviation, 5);
      expect(std.data[at]).toBeCloseTo((raw.std.data[from] ?? 0) / deviation, 5);
    }
  });

  it("refuses sizes that the latents cannot have", async () => {
    const image = { width: 65, height: 48, data: new Uint8Array(65 * 48 * 3) };
    await expect(createEncoder(pair.engine.runtime, pair.decoder).encode(image)).rejects.toThrow(
      "the image is 65 × 48; expected multiples of 4 pixels",
    );
  });
});
