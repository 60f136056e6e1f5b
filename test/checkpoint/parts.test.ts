import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { type Component, readAutoencoder, readFloats } from "../../src/checkpoint/index.js";
import { openCheckpoint, openFile } from "../../src/checkpoint/node/index.js";
import { diffusersScript } from "../../src/convert/index.js";
import { clipNames, tinyNames, vaeNames } from "../../src/families/index.js";
import { generate } from "../../src/generate/index.js";
import { parseUNetConfig } from "../../src/models/index.js";
import { openDecoder, openPair, readFiles } from "../../src/open/index.js";
import { openRuntime } from "../../src/runtime/node/index.js";
import { type FloatTensor, float } from "../../src/tensor/index.js";
import { temporaryFolder } from "../support/folder.js";
import { valuesOf } from "../support/grow.js";
import { description } from "../support/parity.js";
import { componentOf, singleGolden, tensorsOf, writeSingle } from "../support/single-file.js";

const root = temporaryFolder();
const file = (name: string) => path.join(root, `${name}.safetensors`);
const shaped = z.array(z.tuple([z.string(), z.string(), z.array(z.number())]));
const taesd = description("single/taesd", z.object({ encoder: shaped, decoder: shaped }));
const autoencoder = description(
  "single/autoencoder",
  z.object({ tensors: z.array(z.tuple([z.string(), z.array(z.number())])), places: z.record(z.string(), z.string()) }),
);

const sdxl = singleGolden("sdxl");
const all = tensorsOf(sdxl);
const same = (a: Float32Array, b: Float32Array | undefined) =>
  b !== undefined && Buffer.compare(Buffer.from(a.buffer), Buffer.from(b.slice().buffer)) === 0;
/** The tensors under a prefix, without it. */
const under = (prefix: string, tensors = all): Record<string, FloatTensor> =>
  Object.fromEntries(
    Object.entries(tensors).flatMap(([k, t]) => (k.startsWith(prefix) ? [[k.slice(prefix.length), t]] : [])),
  );
const whole = writeSingle(file("whole"), all);
const unet = writeSingle(file("unet"), under("model.diffusion_model."));
const vae = writeSingle(file("vae"), under("first_stage_model."));
const clipL = writeSingle(file("clip_l"), under("conditioner.embedders.0.transformer."));
const clipG = writeSingle(file("clip_g"), under("conditioner.embedders.1.model."));

async function imagesOf(reference: Parameters<typeof openPair>[0]): Promise<number[]> {
  const pair = await openPair(reference, { threads: 1 });
  try {
    const size = { width: 16, height: 24 };
    const request = { prompts: ["a fox, of all things!"], steps: 1, mode: "base" as const, size, guidance: 3 };
    for await (const e of generate(pair, request)) if (e.type === "image") return [...e.latents.data, ...e.image.data];
    return [];
  } finally {
    await pair.close();
  }
}

describe("parts of a checkpoint in files of their own, as ComfyUI keeps them", { timeout: 240_000 }, () => {
  it("generate what the whole generates, whichever text encoder is named first", async () => {
    const picture = await imagesOf({ base: whole });
    expect(picture.some((v) => v !== picture[0])).toBe(true);
    expect(await imagesOf({ base: unet, textEncoders: [clipG, clipL], decoder: vae })).toEqual(picture);
  });

  it("by diffusers' names generate it too", async () => {
    const named = (name: string) => writeSingle(file(`diffusers-${name}`), componentOf(sdxl, name, all));
    const [first, second] = [named("text_encoder"), clipG];
    const picture = await imagesOf({ base: named("unet"), textEncoders: [first, second], decoder: named("vae") });
    expect(picture).toEqual(await imagesOf({ base: whole }));
  });

  it("a decoder has the latents' scale of the base it serves", async () => {
    const base = writeSingle(file("sd1"), tensorsOf(singleGolden("sd1")));
    const pair = await openPair({ base, decoder: vae });
    expect(pair.decoder.scaling.scale).toBe(0.18215);
    await pair.close();
  });

  it("as many text encoders are asked for as the family reads", async () => {
    await expect(openPair({ base: unet, textEncoders: [clipL], decoder: vae })).rejects.toThrow(
      /Stable Diffusion XL, which reads 2 text encoders; 1 given/,
    );
    await expect(openPair({ base: unet, textEncoders: [clipL, vae], decoder: vae })).rejects.toThrow(
      /is an autoencoder .*; a text encoder of Stable Diffusion XL was expected/,
    );
  });

  it("a UNet of another depth than its base is drawn as it is", async () => {
    const shallow = Object.fromEntries(
      Object.entries(under("model.diffusion_model.")).filter(
        ([k]) => !k.includes("transformer_blocks.1.") && !k.includes("transformer_blocks.2."),
      ),
    );
    const pair = await readFiles({ base: whole, distilled: writeSingle(file("shallow"), shallow) });
    const unetOf = (c: Component | undefined) => parseUNetConfig({ file: "config", config: c?.config ?? {} });
    expect(unetOf(pair.distilled?.component).down.map((d) => d.attention?.depths)).toEqual([undefined, [1, 1], [1, 1]]);
    expect(unetOf(pair.base.component).down.map((d) => d.attention?.depths)).toEqual([undefined, [2, 2], [3, 3]]);
  });
});

it("the script for diffusers opens one file as diffusers does, with the scheduler that its tensors tell", async () => {
  const modelFolders = [{ kind: "comfy" as const, path: temporaryFolder() }];
  mkdirSync(path.join(modelFolders[0]?.path ?? "", "models", "checkpoints"), { recursive: true });
  const inTree = path.join(modelFolders[0]?.path ?? "", "models", "checkpoints", "mine.safetensors");
  symlinkSync(whole, inTree);
  for (const [reference, place] of [
    [{ base: whole }, whole],
    [{ base: "mine", modelFolders }, inTree],
  ] as const) {
    const pair = await openPair(reference);
    const script = await diffusersScript(pair, { prompts: ["a fox"], mode: "base", steps: 2 });
    expect(script).toContain(
      `pipe = StableDiffusionXLPipeline.from_single_file("${place}", torch_dtype=torch.float32)`,
    );
    expect(script).toMatch(/scheduler = EulerDiscreteScheduler\.from_config\(\{.*"prediction_type": "epsilon"/);
    await pair.close();
  }
});

describe("an autoencoder alone", { timeout: 240_000 }, () => {
  it("has every tensor where diffusers' converter finds it", () => {
    const keys = autoencoder.tensors.map(([k]) => k);
    const places = Object.fromEntries([...vaeNames(keys)].map(([key, name]) => [name, key]));
    expect(places).toEqual(autoencoder.places);
  });

  it("is found in a whole checkpoint, with the scale of its family", async () => {
    const { config } = await readAutoencoder(await openFile(whole));
    expect(config["scaling_factor"]).toBe(0.13025);
    await expect(readAutoencoder(await openFile(clipL))).rejects.toThrow(
      /is a CLIP text encoder .* an autoencoder was expected/,
    );
  });
});

describe.each(["decoder", "encoder"] as const)("a TAESD's %s in its own file", { timeout: 240_000 }, (half) => {
  const tensors = Object.fromEntries(taesd[half].map(([k, , s], i) => [k, float(s, valuesOf(`${k}.weight`, s, i))]));
  const own = writeSingle(file(`taesdxl_${half}`), tensors);

  it("has diffusers' names, each for its own tensor", async () => {
    const names = taesd[half].map(([a, b]) => [a, b] as const);
    expect([
      ...tinyNames(
        names.map(([a]) => a),
        half,
      ),
    ]).toEqual(names);
    const opened = await readAutoencoder(await openFile(own));
    const { weights } = await opened.weights();
    for (const [a, b] of names) {
      const weight = weights.get(b);
      expect(weight && same(await readFloats(weight), tensors[a]?.data)).toBe(true);
    }
    expect(opened.config).toMatchObject({
      latent_channels: 4,
      decoder_block_out_channels: [64, 64, 64, 64],
      num_decoder_blocks: [3, 3, 3, 1],
      num_encoder_blocks: [1, 3, 3, 3],
    });
  });
});

it("a TAESD's decoder decodes the same by either names", async () => {
  const grown = taesd.decoder.map(([a, b, s], i) => [a, b, float(s, valuesOf(`${a}.weight`, s, i))] as const);
  const named = writeSingle(file("taesd-diffusers"), Object.fromEntries(grown.map(([, b, t]) => [b, t])));
  const runtime = openRuntime({ threads: 1 });
  try {
    const latents = float(
      [1, 4, 2, 3],
      Float32Array.from({ length: 24 }, (_, i) => Math.sin(i)),
    );
    const images = [];
    for (const ref of [file("taesdxl_decoder"), named]) {
      const { network } = await openDecoder(runtime, ref);
      images.push((await network.run({ height: 2, width: 3 }, { latents }))["outputs"]["image"]);
    }
    expect(images[0]).toMatchObject({ shape: [1, 3, 16, 24] });
    expect(images[0]?.data.join()).toBe(images[1]?.data.join());
    expect(new Set([...(images[0]?.data ?? [])].map(Number)).size).toBeGreaterThan(100);
  } finally {
    await runtime.close();
  }
});

describe("Stable Diffusion 2.x", { timeout: 240_000 }, () => {
  const tensors = under("model.diffusion_model.", tensorsOf(singleGolden("sd2")));
  const norm = "output_blocks.11.1.transformer_blocks.0.norm1.bias";
  const { shape } = tensors[norm] ?? float([0], new Float32Array());
  const spread = (by: number) =>
    float(
      shape,
      Float32Array.from({ length: shape[0] ?? 0 }, (_, i) => (i % 2 ? by : -by)),
    );
  const opened = (name: string, by: number) =>
    openCheckpoint(writeSingle(file(name), { ...tensors, [norm]: spread(by) }));

  it("is told from the spread of a bias, and by its name where that says it", async () => {
    for (const [name, by, prediction, sample] of [
      ["one", 0.2, "v_prediction", 96],
      ["other", 0.02, "epsilon", 64],
      ["v2-1_512-ema-pruned", 0.2, "epsilon", 64],
      ["v2-1_768-ema-pruned", 0.02, "v_prediction", 96],
      ["sd_turbo", 0.2, "epsilon", 64],
    ] as const) {
      const { scheduler, components, recognised } = await opened(name, by);
      expect({ name, prediction: scheduler?.config["prediction_type"] }).toEqual({ name, prediction });
      expect(components.get("unet")?.config["sample_size"]).toBe(sample);
      expect(recognised.because.join()).toMatch(/its name says|as the spread of .*norm1\.bias tells/);
    }
  });
});

describe("text encoders", { timeout: 240_000 }, () => {
  it("by transformers' names and by OpenCLIP's are the same numbers", () => {
    const keys = Object.keys(under("conditioner.embedders.1.model."));
    expect(new Set(clipNames(keys, 3).keys())).toEqual(new Set(Object.keys(sdxl.places["text_encoder_2"] ?? {})));
  });

  it("in a file that is no model are refused", async () => {
    const junk = file("junk");
    writeFileSync(junk, "hello");
    await expect(openPair({ base: unet, textEncoders: [junk, clipG], decoder: vae })).rejects.toThrow(
      /junk.safetensors: is no safetensors file/,
    );
  });
});
