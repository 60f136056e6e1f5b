import { describe, expect, it } from "vitest";
import { z } from "zod";
import { evaluate } from "../../src/evaluation/index.js";
import { type GenerateRequest, generate } from "../../src/generate/index.js";
import { openEvaluator, openPair, type PairReference } from "../../src/open/index.js";
import { float, type RgbImage, stack } from "../../src/tensor/index.js";
import { pairReference, requestSchema } from "../support/checkpoint.js";
import { expectImages, expectPainted, type Painted, painted, pictureOf, pipelineSchema } from "../support/painted.js";
import { description, expectClose, LATENTS, NETWORK, namesIn, tensors } from "../support/parity.js";

const shippedSchema = z.object({ request: requestSchema, timesteps: z.array(z.number()) });

async function imagesOf(reference: PairReference, request: GenerateRequest): Promise<Painted> {
  await using pair = await openPair(reference, { threads: 1 });
  return await painted(generate(pair, request), request);
}

describe("whole pipelines", { timeout: 240_000 }, () => {
  it.each(namesIn("pipelines"))("%s", async (name) => {
    const golden = description(`pipelines/${name}`, pipelineSchema);
    expectPainted(
      await imagesOf(pairReference(golden.pair), golden.request),
      golden,
      await tensors(`pipelines/${name}`),
    );
  });
});

describe.each(["embedded", "emoji"])("the %s pair", { timeout: 240_000 }, (pair) => {
  it.each(["base", "distilled", "hybrid"])("%s", async (name) => {
    const golden = description(`${pair}/${name}`, shippedSchema);
    const recorded = await tensors(`${pair}/${name}`);
    const { request } = golden;
    const generated = await imagesOf({ pair }, request);
    expect(generated.timesteps).toEqual(golden.timesteps);
    expectClose(stack(generated.latents), recorded.float("latents"), { within: LATENTS, what: "final latents" });
    expectImages(generated.images, recorded.bytes("images"), request);
  });
});

describe("the embedded pair", { timeout: 240_000 }, () => {
  it("its CLIP sees the same in the same pictures", async () => {
    const { prompts, pictures } = description(
      "embedded/clip",
      z.object({ prompts: z.array(z.string()), pictures: z.string() }),
    );
    const recorded = await tensors("embedded/clip");
    const bytes = (await tensors(pictures)).bytes("images");
    const side = 64;
    const size = side * side * 3;
    const images = Array.from({ length: bytes.length / size }, (_, i): RgbImage => {
      return { width: side, height: side, data: bytes.slice(i * size, (i + 1) * size) };
    });
    const pair = await openPair({ pair: "embedded" }, { threads: 1 });
    try {
      const evaluator = await openEvaluator(pair);
      const reading = evaluator && (await evaluate(evaluator, [images], prompts));
      const features = (reading?.features[0] ?? []).map((data) => float([1, data.length], data));
      expectClose(stack(features), recorded.float("image"), { within: NETWORK, what: "image features" });
      const [image, text] = [recorded.float("image"), recorded.float("text")];
      for (const i of images.keys()) {
        const theirs = cosine(pictureOf(float([1, ...image.shape], image.data), i).data, text.data);
        expect((reading?.clipScores[0]?.[i] ?? 0) / 100).toBeCloseTo(theirs, 5);
      }
    } finally {
      await pair.close();
    }
  });
});

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, v, i) => sum + v * (y[i] ?? 0), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}
