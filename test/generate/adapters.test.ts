import { writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openWeights, safetensors } from "../../src/checkpoint/index.js";
import { RequestError } from "../../src/errors.js";
import { type GenerateRequest, generate } from "../../src/generate/index.js";
import { resolveReference } from "../../src/lookup/index.js";
import { openPair } from "../../src/open/index.js";
import { createRng, type FloatTensor } from "../../src/tensor/index.js";
import { temporaryFolder } from "../support/folder.js";

/** A random LoRA on every `n`th matrix and convolution of the embedded UNet. */
async function randomLora(seed: number, n: number, rank: number, size = 0.3): Promise<string> {
  const { weights } = await openWeights(
    path.join(resolveReference("embedded:base"), "unet", "diffusion_pytorch_model.safetensors"),
  );
  const rng = createRng(seed);
  const tensors: Record<string, FloatTensor> = {};
  const layers = [...weights.values()].filter((w) => w.name.endsWith(".weight") && [2, 4].includes(w.shape.length));
  for (const [i, { name, shape }] of layers.entries()) {
    if (i % n !== 0) continue;
    const [out = 0, ...rest] = shape;
    const key = `unet.${name.slice(0, -".weight".length)}`;
    const inputs = rest.reduce((a, b) => a * b, 1);
    const scaled = (t: FloatTensor, by: number) => ({ ...t, data: t.data.map((v) => v * by) });
    tensors[`${key}.lora_A.weight`] = scaled(rng.randn([rank, ...rest]), 1 / Math.sqrt(inputs));
    tensors[`${key}.lora_B.weight`] = scaled(rng.randn([out, rank, ...rest.slice(1).map(() => 1)]), size);
  }
  const file = path.join(temporaryFolder(), `lora-${seed}.safetensors`);
  writeFileSync(file, safetensors(tensors));
  return file;
}

const files = [await randomLora(1, 3, 2), await randomLora(2, 4, 3)] as const;
const pair = await openPair({}, { threads: 1 });
afterAll(() => pair.close());
const [one, two] = files;

type Asked = Omit<GenerateRequest, "prompts"> & { prompts?: readonly string[] };
async function paint(asked: Asked, on = pair): Promise<Map<string, Float32Array>> {
  const found = new Map<string, Float32Array>();
  const request = { prompts: ["a cartoon character"], seeds: [4], size: { width: 64, height: 48 }, ...asked };
  for await (const event of generate(on, request)) {
    if (event.type === "image") found.set(`${event.prompt}-${event.seed}`, event.latents.data);
  }
  return found;
}
const only = async (adapters: NonNullable<GenerateRequest["adapters"]>, asked: Asked = {}) =>
  (await paint({ ...asked, adapters })).get("0-4") ?? new Float32Array();
const farthest = (a: Float32Array, b: Float32Array | undefined) =>
  a.reduce((w, v, i) => Math.max(w, Math.abs(v - (b?.[i] ?? Number.NaN))), 0);

describe("adapters on a pair", () => {
  it("at scale 0 are none at all, to the bit, and leave nothing behind", async () => {
    const none = await only([]);
    expect(await only([{ ref: one, scale: 0 }])).toEqual(none);
    expect(farthest(await only([{ ref: one }]), none)).toBeGreaterThan(0.05);
    expect(await only([])).toEqual(none);
  });

  it("add up in any order", async () => {
    const scale = 0.5;
    const forth = await only([{ ref: one, scale }, { ref: two }]);
    const back = await only([{ ref: two }, { ref: one, scale }]);
    expect(farthest(forth, back)).toBeLessThan(1e-4);
    expect(farthest(forth, await only([{ ref: two }]))).toBeGreaterThan(0.02);
    const twice = await only([
      { ref: one, scale: 0.25 },
      { ref: one, scale: 0.25 },
    ]);
    expect(farthest(twice, await only([{ ref: one, scale }]))).toBeLessThan(1e-4);
  });

  it("act on one model of a pair", async () => {
    const hybrid: Asked = { mode: "hybrid", switch: 4 };
    // All rows by the base: what is on the distilled model does not show.
    expect(farthest(await only([{ ref: one, on: "distilled" }], hybrid), await only([], hybrid))).toBe(0);
    expect(farthest(await only([{ ref: one, on: "base" }], hybrid), await only([{ ref: one }], hybrid))).toBe(0);
  });

  it("have a scale for each row, and for each part of the UNet", async () => {
    const rows = (text: string) => only([{ ref: one, scale: text }]);
    expect(farthest(await rows("1@0-3"), await only([{ ref: one }]))).toBeLessThan(1e-5);
    expect(farthest(await rows("1@9"), await only([]))).toBeLessThan(1e-4);
    expect(farthest(await rows("1@3"), await rows("1@0"))).toBeGreaterThan(0.02);
    expect(farthest(await rows("down=1,mid=1,up=1,other=1"), await only([{ ref: one }]))).toBeLessThan(1e-5);
    expect(farthest(await rows("down=0,mid=0,up=0,other=0"), await only([]))).toBeLessThan(1e-4);
    expect(farthest(await rows("down=0"), await rows("up=0"))).toBeGreaterThan(0.02);
  });

  it("have a scale for each picture: a batch of several is as each alone", async () => {
    const scales = [-1, 0, 0.5];
    const prompts = scales.map(() => "a cartoon character");
    const strip = await paint({
      prompts,
      adapters: [{ ref: one, samples: scales.map((scale, prompt) => ({ prompt, scale })) }],
    });
    for (const [i, scale] of scales.entries()) {
      expect(farthest(await only([{ ref: one, scale }]), strip.get(`${i}-4`))).toBeLessThan(1e-4);
    }
  });

  it("make a distilled model of the base, in one set of weights, in two, or one after the other", async () => {
    const lora = await openPair({ base: "embedded:base", distilled: files[0] }, { threads: 1 });
    try {
      const grid: Asked = { scheduler: "LCMScheduler", timesteps: [999, 749, 499, 249], guidance: 0, seeds: [4, 6] };
      const ways = await Promise.all(
        (["shared", "none", "sequential"] as const).map((offload) => paint({ ...grid, offload }, lora)),
      );
      for (const way of ways) {
        for (const [key, latents] of ways[0] ?? []) expect(farthest(latents, way.get(key))).toBeLessThan(1e-4);
      }
      // The base's rows are the base's, the rest are those of the base with the adapter on.
      const [, grown] = [...(await paint({ ...grid, mode: "distilled" }, lora)).values()];
      const [, like] = [...(await paint({ ...grid, mode: "hybrid", switch: 4, adapters: [{ ref: one }] })).values()];
      expect(grown && farthest(grown, like)).toBeLessThan(1e-4);
    } finally {
      await lora.close();
    }
    await expect(paint({ offload: "shared" })).rejects.toThrow(RequestError);
  });
});
