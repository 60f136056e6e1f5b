import { describe, expect, it } from "vitest";
import { RequestError } from "../../src/errors.js";
import { diversity, type Evaluator, evaluate, summarise } from "../../src/evaluation/index.js";
import { openEvaluator, openPair } from "../../src/open/index.js";
import { float } from "../../src/tensor/index.js";

/** An image of one value, 3 × 2 pixels. */
const grey = (value: number, latent?: number) => ({
  width: 3,
  height: 2,
  data: new Uint8Array(18).fill(value),
  ...(latent !== undefined && { latents: float([1, 1, 2, 1], Float32Array.of(latent, -latent)) }),
});

describe("diversity", () => {
  it("is the mean root mean square distance of all pairs", async () => {
    // 0, 51 and 255 of 255: pairs are 0.2, 1 and 0.8 apart. Latents 0, 1, 3: 1, 3 and 2 apart.
    const { pixels, latents, clip } = await diversity([grey(0, 0), grey(51, 1), grey(255, 3)]);
    expect(pixels.mean).toBeCloseTo(2 / 3, 6);
    expect(latents?.mean).toBeCloseTo(2, 6);
    expect(clip).toBeNull();
  });

  it("compares images of one prompt only, whether named or in lists", async () => {
    const [a, b, c, d] = [grey(0), grey(51), grey(255), grey(204)];
    const lists = await diversity([[a, b], [c, d], [a]]);
    expect(lists.pixels.mean).toBeCloseTo(0.2, 6);
    const named = [c, a, b, d].map((image) => ({ ...image, prompt: image === a || image === b ? "x" : "y" }));
    expect((await diversity(named)).pixels.mean).toBeCloseTo(0.2, 6);
    expect(lists.latents).toBeNull();
  });

  it("is refused without a pair of images, or for images of different sizes", async () => {
    await expect(diversity([grey(0)])).rejects.toBeInstanceOf(RequestError);
    await expect(diversity([[grey(0)], [grey(1)]])).rejects.toThrow(/at least two images of one prompt/);
    await expect(diversity([])).rejects.toBeInstanceOf(RequestError);
    const other = { width: 2, height: 3, data: new Uint8Array(18) };
    await expect(diversity([grey(0), other])).rejects.toThrow(/3 × 2 and 2 × 3/);
  });

  it("has the CLIP distance of compare, and says what the paper says of the embedded pair", async () => {
    await using pair = await openPair({ threads: 1 });
    const evaluator: Evaluator | null = await openEvaluator(pair);
    const prompt = "a cartoon character with one eye";
    const request = { prompt, seeds: [0, 1, 2, 3, 4, 5, 6, 7] } as const;
    const distilled = await pair.generate({ ...request, mode: "distilled" });
    const hybrid = await pair.generate({ ...request, mode: "hybrid" });
    const found = await diversity(distilled, evaluator);
    if (!evaluator) throw new Error("the embedded pair has a CLIP");
    expect(found.clip).toEqual(summarise(await evaluate(evaluator, [distilled], [prompt])).distance);
    const more = await diversity(hybrid, evaluator);
    expect(more.clip?.mean).toBeGreaterThan(found.clip?.mean ?? 2);
    expect(more.latents?.mean).toBeGreaterThan(0);
  }, 240_000);
});
