import { describe, expect, it } from "vitest";
import { z } from "zod";
import { studioForTests } from "../support/studio.js";

const { send, events, errors } = studioForTests();

const estimate = z.object({ mean: z.number(), low: z.number().nullable(), high: z.number().nullable(), n: z.number() });
const diversity = z.object({ pixels: estimate, clip: estimate });
const trace = z.object({
  steps: z.array(z.object({ model: z.string(), timestep: z.number(), x0: z.string() })),
  commit: z.object({ latent: z.array(z.number()), pixel: z.array(z.number()), perceptual: z.array(z.number()) }),
  concepts: z.array(z.object({ phrase: z.string(), similarity: z.array(z.number()) })),
});

async function imagesOf(request: object) {
  const body = {
    prompts: ["a cartoon character"],
    seeds: [0, 1, 2, 3, 4, 5],
    size: { width: 64, height: 64 },
    ...request,
  };
  const { id } = z.object({ id: z.string() }).parse((await send("POST", "api/runs", body)).body);
  await events(id);
  const run = z
    .object({ images: z.array(z.object({ id: z.string() })) })
    .parse((await send("GET", `api/runs/${id}`)).body);
  return run.images.map((image) => image.id);
}

describe("a look at saved images", { timeout: 240_000 }, () => {
  it("measures a grid's diversity with an interval over its images: the base's is above that of equal images", async () => {
    const base = await imagesOf({ mode: "base", steps: 6 });
    const [one = ""] = base;
    const { pixels, clip } = diversity.parse((await send("POST", "api/diversity", { images: base })).body);
    for (const { mean, low, high, n } of [pixels, clip]) {
      expect(n).toBe(6);
      expect(low).toBeLessThan(mean);
      expect(high).toBeGreaterThan(mean);
      expect(low).toBeGreaterThan(0);
    }
    const equal = diversity.parse((await send("POST", "api/diversity", { images: [one, one] })).body);
    expect([equal.pixels.mean, equal.clip.mean]).toEqual([0, expect.closeTo(0, 6)]);
    const gone = "00000000-0000-4000-8000-000000000000";
    expect((await send("POST", "api/diversity", { images: [one, gone] })).status).toBe(404);
    expect((await send("POST", "api/diversity", { images: [one] })).status).toBe(400);
    const [wide = ""] = await imagesOf({ seeds: [0], size: { width: 64, height: 48 } });
    expect(await send("POST", "api/diversity", { images: [one, wide] })).toMatchObject({
      status: 400,
      body: { error: { message: expect.stringMatching(/64 × 64 and 64 × 48/) } },
    });
  });

  it("shows x0 of every step, how far each is from the final image, and phrases", async () => {
    const [, image = ""] = await imagesOf({ mode: "hybrid", switch: 1, seeds: [3, 5] });
    const answer = await send("GET", `api/images/${image}/trace?phrases=a%20crown,%20a%20smile`);
    const { steps, commit, concepts } = trace.parse(answer.body);
    expect(steps.map(({ model }) => model)).toEqual(["base", "distilled", "distilled", "distilled"]);
    expect(steps.every(({ x0 }) => x0.startsWith("data:image/png;base64,"))).toBe(true);
    for (const curve of Object.values(commit)) {
      expect(curve.length).toBe(4);
      // The last x0 is the final image, up to the noise level of 0 and the rounding of a batch of one.
      expect(curve[0]).toBeGreaterThan(0.01);
      expect(curve[3]).toBeLessThan(0.1 * (curve[0] ?? 0));
    }
    expect(concepts.map(({ phrase, similarity }) => [phrase, similarity.length])).toEqual([
      ["a crown", 4],
      ["a smile", 4],
    ]);
    const many = Array.from({ length: 17 }, (_, i) => `p${i}`).join(",");
    expect((await send("GET", `api/images/${image}/trace?phrases=${many}`)).status).toBe(400);
    expect(errors).toEqual([]);
  });
});
