import { describe, expect, it } from "vitest";
import { z } from "zod";
import { evaluate } from "../../src/evaluation/index.js";
import { type GenerateRequest, generate } from "../../src/generate/index.js";
import { openEvaluator, openPair, type PairReference } from "../../src/open/index.js";
import { type FloatTensor, float, type RgbImage, stack } from "../../src/tensor/index.js";
import { pairReference, pairSchema, requestSchema } from "../support/checkpoint.js";
import {
  description,
  expectClose,
  farthest,
  farthestByte,
  LATENTS,
  NETWORK,
  namesIn,
  PIXELS,
  tensors,
} from "../support/parity.js";

const schema = z.object({ pair: pairSchema, request: requestSchema, timesteps: z.array(z.number()) });
const embeddedSchema = z.object({ request: requestSchema, timesteps: z.array(z.number()) });

/** What a run gave, pictures in the order of prompts and then seeds. */
interface Painted {
  /** For each picture: its latents before the first step and after each row that changes them. */
  readonly xt: readonly FloatTensor[][];
  readonly x0: readonly FloatTensor[][];
  readonly timesteps: readonly number[];
  readonly images: readonly RgbImage[];
  readonly latents: readonly FloatTensor[];
}

async function imagesOf(reference: PairReference, request: GenerateRequest): Promise<Painted> {
  const pair = await openPair(reference, { threads: 1 });
  const { seeds = [0] } = request;
  const place = ({ prompt, seed }: { prompt: number; seed: number }) => prompt * seeds.length + seeds.indexOf(seed);
  const pictures = request.prompts.length * seeds.length;
  const [xt, x0] = [0, 1].map(() => Array.from({ length: pictures }, (): FloatTensor[] => []));
  const timesteps: number[] = [];
  const images: RgbImage[] = [];
  const latents: FloatTensor[] = [];
  try {
    for await (const event of generate(pair, request)) {
      if (event.type === "step") {
        const track = xt?.[place(event)];
        // Where fresh noise came between two steps, the second starts from other latents than the first ended with.
        if (track?.at(-1) !== event.xt) track?.push(event.xt);
        track?.push(event.next);
        x0?.[place(event)]?.push(event.x0);
        if (place(event) === 0) timesteps.push(event.timestep);
      } else if (event.type === "image") {
        images[place(event)] = event.image;
        latents[place(event)] = event.latents;
      }
    }
  } finally {
    await pair.close();
  }
  return { xt: xt ?? [], x0: x0 ?? [], timesteps, images, latents };
}

/** Picture `i` of tensors recorded as [steps, pictures, …]: [steps, …]. */
function pictureOf({ shape, data }: FloatTensor, i: number): FloatTensor {
  const [steps = 0, pictures = 0, ...rest] = shape;
  const size = data.length / (steps * pictures);
  const picked = new Float32Array(steps * size);
  for (let s = 0; s < steps; s++) {
    const start = (s * pictures + i) * size;
    picked.set(data.subarray(start, start + size), s * size);
  }
  return float([steps, ...rest], picked);
}

function expectTrack(actual: readonly FloatTensor[] | undefined, expected: FloatTensor, i: number, what: string): void {
  const theirs = pictureOf(expected, i);
  expect(actual?.length, `${what}: steps`).toBe(theirs.shape[0]);
  const size = theirs.data.length / (theirs.shape[0] ?? 1);
  for (const [s, x] of (actual ?? []).entries()) {
    expect(x.shape.slice(1)).toEqual(theirs.shape.slice(1));
    const error = farthest(x.data, theirs.data.subarray(s * size, (s + 1) * size));
    expect(error, `${what} of picture ${i} at ${s}`).toBeLessThan(LATENTS);
  }
}

function expectImages(actual: readonly RgbImage[], expected: Uint8Array, request: GenerateRequest): void {
  const size = expected.length / actual.length;
  for (const [i, { width, height, data }] of actual.entries()) {
    if (request.size) expect({ width, height }).toEqual(request.size);
    expect(farthestByte(data, expected.subarray(i * size, (i + 1) * size)), `picture ${i}`).toBeLessThanOrEqual(PIXELS);
  }
}

describe("whole pipelines", { timeout: 240_000 }, () => {
  it.each(namesIn("pipelines"))("%s", async (name) => {
    const golden = description(`pipelines/${name}`, schema);
    const recorded = await tensors(`pipelines/${name}`);
    const { request } = golden;
    const generated = await imagesOf(pairReference(golden.pair), request);
    expect(generated.timesteps).toEqual(golden.timesteps);
    expect(generated.images.length).toBe(request.prompts.length * (request.seeds?.length ?? 1));
    for (const i of generated.images.keys()) {
      expectTrack(generated.xt[i], recorded.float("xt"), i, "x_t");
      expectTrack(generated.x0[i], recorded.float("x0"), i, "x0");
    }
    expectImages(generated.images, recorded.bytes("images"), request);
  });
});

describe("the embedded pair", { timeout: 240_000 }, () => {
  it.each(["base", "distilled", "hybrid"])("%s", async (name) => {
    const golden = description(`embedded/${name}`, embeddedSchema);
    const recorded = await tensors(`embedded/${name}`);
    const { request } = golden;
    const generated = await imagesOf({ pair: "embedded" }, request);
    expect(generated.timesteps).toEqual(golden.timesteps);
    expectClose(stack(generated.latents), recorded.float("latents"), { within: LATENTS, what: "final latents" });
    expectImages(generated.images, recorded.bytes("images"), request);
  });

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
