import { mkdirSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { readFloats } from "../../src/checkpoint/index.js";
import { clipTokenizer, openCheckpoint } from "../../src/checkpoint/node/index.js";
import { generate } from "../../src/generate/index.js";
import { parseAutoencoderConfig, parseTextEncoderConfig, parseUNetConfig } from "../../src/models/index.js";
import { openPair } from "../../src/open/index.js";
import { float } from "../../src/tensor/index.js";
import { createTokenizer } from "../../src/text/index.js";
import { temporaryFolder } from "../support/folder.js";
import { description } from "../support/parity.js";
import { componentOf, FAMILIES, singleGolden, tensorsOf, writeFolder, writeSingle } from "../support/single-file.js";

const root = temporaryFolder();
const file = (name: string) => path.join(root, `${name}.safetensors`);

describe.each(FAMILIES)("a checkpoint of %s in one file", { timeout: 240_000 }, (family) => {
  const single = singleGolden(family);
  const tensors = tensorsOf(single);
  const whole = writeSingle(file(family), tensors);

  it("has every tensor where diffusers' converters find it", async () => {
    const { components } = await openCheckpoint(whole);
    expect(new Set(components.keys())).toEqual(new Set(Object.keys(single.places)));
    for (const [name, component] of components) {
      const { weights } = await component.weights();
      const wanted = componentOf(single, name, tensors);
      expect(Object.keys(wanted).filter((key) => !weights.has(key))).toEqual([]);
      for (const [key, { shape, data }] of Object.entries(wanted)) {
        const weight = weights.get(key);
        if (!weight) continue;
        expect({ key, shape: weight.shape }).toEqual({ key, shape });
        expect(Buffer.compare(Buffer.from((await readFloats(weight)).buffer), Buffer.from(data.slice().buffer))).toBe(
          0,
        );
      }
    }
  });

  it("copies only what has to be turned", async () => {
    const { components } = await openCheckpoint(whole);
    for (const component of components.values()) {
      const { weights } = await component.weights();
      const copied = [...weights].filter(([, w]) => w.bytes.in === "memory").map(([key]) => key);
      expect(copied.filter((key) => key !== "text_projection.weight")).toEqual([]);
    }
  });

  it("is drawn as its diffusers folder would be", async () => {
    const { components } = await openCheckpoint(whole);
    const configOf = (name: string) => ({ file: name, config: components.get(name)?.config ?? {} });
    const golden = (config: Readonly<Record<string, unknown>>) => ({ file: "golden", config });
    expect(parseUNetConfig(configOf("unet"))).toEqual(parseUNetConfig(golden(single.configs.unet)));
    expect(parseAutoencoderConfig(configOf("vae"))).toEqual(parseAutoencoderConfig(golden(single.configs.vae)));
    for (const [i, config] of single.configs.text.entries()) {
      const own = parseTextEncoderConfig(configOf(i === 0 ? "text_encoder" : "text_encoder_2"));
      expect(own).toEqual(parseTextEncoderConfig(golden(config)));
    }
  });

  it("generates what the folder generates, to the bit", async () => {
    const { scheduler } = await openCheckpoint(whole);
    const folder = path.join(root, `${family}-folder`);
    mkdirSync(folder);
    await writeFolder(folder, family, single, scheduler?.config ?? {});
    const imagesOf = async (base: string) => {
      const pair = await openPair({ base }, { threads: 1 });
      try {
        const size = { width: 16, height: 24 };
        const request = { prompts: ["a fox, of all things!"], steps: 2, mode: "base" as const, size, guidance: 3 };
        for await (const e of generate(pair, request)) if (e.type === "image") return [...e.latents.data];
        return [];
      } finally {
        await pair.close();
      }
    };
    expect(await imagesOf(whole)).toEqual(await imagesOf(folder));
  });
});

describe("one file", { timeout: 240_000 }, () => {
  const sdxl = singleGolden("sdxl");
  const all = tensorsOf(sdxl);
  const only = (keep: (key: string) => boolean) => Object.fromEntries(Object.entries(all).filter(([k]) => keep(k)));

  it("gives its UNet as the distilled model of another, with or without the prefix", async () => {
    const base = file("sdxl");
    const bare = Object.fromEntries(
      Object.entries(only((k) => k.startsWith("model.diffusion_model."))).map(([k, t]) => [k.slice(22), t]),
    );
    for (const distilled of [base, writeSingle(file("bare"), bare)]) {
      const pair = await openPair({ base, distilled });
      const weights = await pair.distilled?.weights();
      expect(weights?.weights.get("down_blocks.1.attentions.0.proj_in.weight")?.shape).toEqual([64, 64]);
      expect(pair.distilled?.denoiser.config).toEqual(pair.base.denoiser.config);
      await pair.close();
    }
  });

  it("without its autoencoder or its text encoders is what is left of it", async () => {
    const bare = writeSingle(
      file("no-vae"),
      only((k) => !k.startsWith("first_stage")),
    );
    const { components } = await openCheckpoint(bare);
    expect([...components.keys()]).toEqual(["unet", "text_encoder", "text_encoder_2"]);
    await expect(openPair({ base: bare })).rejects.toThrow(/holds no autoencoder; name one with --decoder/);
    const mute = writeSingle(
      file("no-text"),
      only((k) => !k.startsWith("conditioner")),
    );
    await expect(openPair({ base: mute })).rejects.toThrow(/holds a UNet without text encoders: .*--text-encoder/);
  });

  it("without its UNet is refused", async () => {
    await expect(
      openCheckpoint(
        writeSingle(
          file("no-unet"),
          only((k) => !k.startsWith("model.")),
        ),
      ),
    ).rejects.toThrow(
      /is an autoencoder \(AutoencoderKL\) with 4 latent channels .*; a whole checkpoint or a UNet was expected/,
    );
  });

  it("for inpainting is refused by the channels it takes", async () => {
    const wide = float([64, 9, 3, 3], new Float32Array(64 * 81));
    const inpainting = writeSingle(file("inpainting"), {
      ...all,
      "model.diffusion_model.input_blocks.0.0.weight": wide,
    });
    await expect(openPair({ base: inpainting })).rejects.toThrow(/in_channels = 9 is not supported; supported: 4/);
  });

  it("of another family is refused by its name", async () => {
    const flux = { "double_blocks.0.img_attn.qkv.weight": float([1], new Float32Array(1)) };
    await expect(openCheckpoint(writeSingle(file("flux"), flux))).rejects.toThrow(
      /is a variant of FLUX.1 \(.*Stable Diffusion 1.x, 2.x and XL, Z-Image, .* are supported/,
    );
    const sd3 = { "model.diffusion_model.joint_blocks.0.x_block.weight": float([1], new Float32Array(1)) };
    await expect(openCheckpoint(writeSingle(file("sd3"), sd3))).rejects.toThrow(
      /is a variant of Stable Diffusion 3 \(/,
    );
  });

  it("says so where its fine-tuner trained on v", async () => {
    const marks = { v_pred: float([1], new Float32Array(1)), ztsnr: float([1], new Float32Array(1)) };
    const { scheduler } = await openCheckpoint(writeSingle(file("v"), { ...all, ...marks }));
    expect(scheduler?.config).toMatchObject({ prediction_type: "v_prediction", rescale_betas_zero_snr: true });
  });
});

describe("CLIP's own vocabulary", { timeout: 240_000 }, () => {
  const ids = z.array(z.array(z.number()));
  const golden = description(
    "single/vocabulary",
    z.object({ prompts: z.array(z.string()), "<|endoftext|>": ids, "!": ids }),
  );

  it.each(["<|endoftext|>", "!"] as const)("with %s as padding gives transformers' ids", async (padding) => {
    const tokenizer = createTokenizer(await clipTokenizer(padding));
    for (const [i, prompt] of golden.prompts.entries()) {
      expect({ prompt, ids: tokenizer.encode(prompt).ids }).toEqual({ prompt, ids: golden[padding][i] });
    }
  });
});
