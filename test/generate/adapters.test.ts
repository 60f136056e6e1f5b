import { writeFileSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { safetensors } from "../../src/checkpoint/index.js";
import { openWeights } from "../../src/checkpoint/node/index.js";
import { RequestError } from "../../src/errors.js";
import { type GenerateRequest, generate } from "../../src/generate/index.js";
import { resolveReference } from "../../src/lookup/index.js";
import { layersIn, openPair } from "../../src/open/index.js";
import { createRng, type FloatTensor } from "../../src/tensor/index.js";
import { MATRIX_KINDS, NORM_KINDS } from "../support/adapters.js";
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
async function imagesOf(asked: Asked, on = pair): Promise<Map<string, Float32Array>> {
  const found = new Map<string, Float32Array>();
  const request = { prompts: ["a cartoon character"], seeds: [4], size: { width: 64, height: 48 }, ...asked };
  for await (const event of generate(on, request)) {
    if (event.type === "image") found.set(`${event.prompt}-${event.seed}`, event.latents.data);
  }
  return found;
}
const only = async (adapters: NonNullable<GenerateRequest["adapters"]>, asked: Asked = {}) =>
  (await imagesOf({ ...asked, adapters })).get("0-4") ?? new Float32Array();
const farthest = (a: Float32Array, b: Float32Array | undefined) =>
  a.reduce((w, v, i) => Math.max(w, Math.abs(v - (b?.[i] ?? Number.NaN))), 0);

describe("adapters that follow each other on one pair", { timeout: 240_000 }, async () => {
  const shapes = await layersIn(pair);
  const fileWith = (kind: string, layer: string): string => {
    const shape = shapes.get("unet")?.get(layer);
    const make = MATRIX_KINDS[kind] ?? NORM_KINDS[kind];
    if (!shape || !make) throw new Error(`no ${kind} on ${layer}`);
    const file = path.join(temporaryFolder(), `${kind}.safetensors`);
    const tensors = Object.entries(make(shape, 5).tensors).map(([end, t]) => [`lora_unet_${layer}${end}`, t] as const);
    writeFileSync(file, safetensors(Object.fromEntries(tensors)));
    return file;
  };
  // Most on one layer: their graphs differ in the weight, in the bias, in neither, or by LoRA matrices.
  const adapters = new Map([
    ...["difference", "difference of a bias", "LoRA (kohya)", "LoRA with a bias", "DoRA over outputs"].map(
      (kind) => [kind, fileWith(kind, "conv_out")] as const,
    ),
    ["trained norm", fileWith("trained norm", "conv_norm_out")],
    ["LoRA on many layers", one],
  ]);
  const latents = async (name: string, on = pair): Promise<Float32Array> => {
    const asked = { mode: "distilled", steps: 1, adapters: [{ ref: adapters.get(name) ?? "" }] } as const;
    return (await imagesOf(asked, on)).get("0-4") ?? new Float32Array();
  };
  /** On a pair that has run nothing else. */
  const alone = new Map<string, Float32Array>();
  for (const name of adapters.keys()) {
    const fresh = await openPair({}, { threads: 1 });
    alone.set(name, await latents(name, fresh));
    await fresh.close();
  }

  it("do what each does on a fresh pair, in any order", async () => {
    const none = (await imagesOf({ mode: "distilled", steps: 1 })).get("0-4");
    for (const own of alone.values()) expect(farthest(own, none)).toBeGreaterThan(0.01);
    const order = fc.array(fc.constantFrom(...adapters.keys()), { minLength: 2, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(order, async (names) => {
        for (const name of names) expect(farthest(await latents(name), alone.get(name))).toBeLessThan(1e-4);
      }),
      { numRuns: 6, examples: [[["difference", "difference of a bias"]], [["DoRA over outputs", "LoRA with a bias"]]] },
    );
  });
});

describe("adapters on a pair", { timeout: 240_000 }, () => {
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
    const strip = await imagesOf({
      prompts,
      adapters: [{ ref: one, scale: { samples: scales.map((scale, prompt) => ({ prompt, scale })) } }],
    });
    for (const [i, scale] of scales.entries()) {
      expect(farthest(await only([{ ref: one, scale }]), strip.get(`${i}-4`))).toBeLessThan(1e-4);
    }
    // By seed, on top of a scale for rows.
    const scale = { rows: [{ from: 0, to: 1, scale: 0.5 }], samples: [{ seed: 6, scale: -1 }] };
    const both = await imagesOf({ seeds: [4, 6], adapters: [{ ref: one, scale }] });
    expect(farthest(await only([{ ref: one, scale: "0.5@0-1" }]), both.get("0-4"))).toBeLessThan(1e-4);
    const other = await imagesOf({ seeds: [6], adapters: [{ ref: one, scale: "-0.5@0-1" }] });
    expect(farthest(other.get("0-6") ?? new Float32Array(), both.get("0-6"))).toBeLessThan(1e-4);
  });

  it("make a distilled model of the base, in one set of weights, in two, or one after the other", async () => {
    const lora = await openPair({ base: "embedded:base", distilled: files[0] }, { threads: 1 });
    try {
      const grid: Asked = { scheduler: "LCMScheduler", timesteps: [999, 749, 499, 249], guidance: 0, seeds: [4, 6] };
      const ways = await Promise.all(
        (["shared", "none", "sequential"] as const).map((offload) => imagesOf({ ...grid, offload }, lora)),
      );
      for (const way of ways) {
        for (const [key, latents] of ways[0] ?? []) expect(farthest(latents, way.get(key))).toBeLessThan(1e-4);
      }
      const ownRows = { mode: "hybrid", switch: 4, handoff: "schedule" } as const;
      // The base's rows are the base's, the rest are those of the base with the adapter on.
      const [, grown] = [...(await imagesOf({ ...grid, mode: "distilled" }, lora)).values()];
      const [, like] = [...(await imagesOf({ ...grid, ...ownRows, adapters: [{ ref: one }] })).values()];
      expect(grown && farthest(grown, like)).toBeLessThan(1e-4);
    } finally {
      await lora.close();
    }
    await expect(imagesOf({ offload: "shared" })).rejects.toThrow(RequestError);
  });
});
