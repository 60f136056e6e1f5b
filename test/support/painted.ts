/** What a run gave, step by step, and how it is held against what diffusers gave for the same request (test/goldens/pipelines). */
import { expect } from "vitest";
import { z } from "zod";
import type { GenerateEvent, GenerateRequest, StepEvent } from "../../src/generate/index.js";
import { type FloatTensor, float, type RgbImage } from "../../src/tensor/index.js";
import { pairSchema, requestSchema } from "./checkpoint.js";
import { farthest, farthestByte, LATENTS, PIXELS, type Recorded } from "./parity.js";

export const pipelineSchema = z.object({ pair: pairSchema, request: requestSchema, timesteps: z.array(z.number()) });

/** What a run gave, pictures in the order of prompts and then seeds. */
export interface Painted {
  /** For each picture: its latents before the first step and after each row that changes them. */
  readonly xt: readonly FloatTensor[][];
  readonly x0: readonly FloatTensor[][];
  readonly timesteps: readonly number[];
  readonly images: readonly RgbImage[];
  readonly latents: readonly FloatTensor[];
}

type ImageEvent = Extract<GenerateEvent, { readonly type: "image" }>;

/** Events of a run, as far as they are read here. */
export type PaintedEvent =
  | Pick<StepEvent, "type" | "prompt" | "seed" | "timestep" | "xt" | "next" | "x0">
  | Pick<ImageEvent, "type" | "prompt" | "seed" | "image" | "latents">
  | { readonly type: Exclude<GenerateEvent["type"], "step" | "image"> };

/** Collects the events of a run. */
export async function painted(
  events: AsyncIterable<PaintedEvent> | Iterable<PaintedEvent>,
  request: GenerateRequest,
): Promise<Painted> {
  const { seeds = [0] } = request;
  const place = ({ prompt, seed }: { prompt: number; seed: number }) => prompt * seeds.length + seeds.indexOf(seed);
  const pictures = request.prompts.length * seeds.length;
  const [xt, x0] = [0, 1].map(() => Array.from({ length: pictures }, (): FloatTensor[] => []));
  const timesteps: number[] = [];
  const images: RgbImage[] = [];
  const latents: FloatTensor[] = [];
  for await (const event of events) {
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
  return { xt: xt ?? [], x0: x0 ?? [], timesteps, images, latents };
}

/** Picture `i` of tensors recorded as [steps, pictures, …]: [steps, …]. */
export function pictureOf({ shape, data }: FloatTensor, i: number): FloatTensor {
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

export function expectImages(actual: readonly RgbImage[], expected: Uint8Array, request: GenerateRequest): void {
  const size = expected.length / actual.length;
  for (const [i, { width, height, data }] of actual.entries()) {
    if (request.size) expect({ width, height }).toEqual(request.size);
    expect(farthestByte(data, expected.subarray(i * size, (i + 1) * size)), `picture ${i}`).toBeLessThanOrEqual(PIXELS);
  }
}

/** Holds a run against its golden: timesteps exactly, latents and images within their tolerances. */
export function expectPainted(
  run: Painted,
  { request, timesteps }: z.output<typeof pipelineSchema>,
  recorded: Recorded,
): void {
  expect(run.timesteps).toEqual(timesteps);
  expect(run.images.length).toBe(request.prompts.length * (request.seeds?.length ?? 1));
  for (const i of run.images.keys()) {
    expectTrack(run.xt[i], recorded.float("xt"), i, "x_t");
    expectTrack(run.x0[i], recorded.float("x0"), i, "x0");
  }
  expectImages(run.images, recorded.bytes("images"), request);
}
