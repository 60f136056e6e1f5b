import { cpSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { generate } from "../../src/generate/index.js";
import { openPair, type PairReference } from "../../src/open/index.js";
import { type FloatTensor, stack } from "../../src/tensor/index.js";
import { requestSchema } from "../support/checkpoint.js";
import { temporaryFolder } from "../support/folder.js";
import { description, EMBEDDED, farthest, LATENTS, PIXELS, tensors } from "../support/parity.js";

const schema = z.object({ request: requestSchema });

/** A safetensors file of the embedded pair with other names of tensors. */
function renamed(source: string, target: string, name: (key: string) => string): string {
  const file = readFileSync(path.join(EMBEDDED, source));
  const length = Number(file.readBigUInt64LE());
  const header: Record<string, unknown> = JSON.parse(file.toString("utf8", 8, 8 + length));
  const names = Object.entries(header).map(([key, entry]) => [key === "__metadata__" ? key : name(key), entry]);
  const written = Buffer.from(JSON.stringify(Object.fromEntries(names)));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(written.length));
  writeFileSync(target, Buffer.concat([size, written, file.subarray(8 + length)]));
  return target;
}

/** The embedded distilled UNet in one file, which is not recognised as that of a pair. */
const distilledFile = (folder: string): PairReference => ({
  base: "embedded:base",
  distilled: renamed(
    "distilled/unet/diffusion_pytorch_model.safetensors",
    path.join(folder, "few.safetensors"),
    (key) => `unet.${key}`,
  ),
});

/** The references of parity/script_models.py, with the same weights. Stability's names are given to diffusers only. */
const MODELS: Readonly<Record<string, (folder: string) => PairReference>> = {
  "distilled-stability": distilledFile,
  "distilled-prefixed": distilledFile,
  "text-encoders": (folder) => ({
    textEncoders: [
      renamed("base/text_encoder_2/model.safetensors", path.join(folder, "second.safetensors"), (key) => key),
      renamed(
        "base/text_encoder/model.safetensors",
        path.join(folder, "first.safetensors"),
        (key) => `conditioner.embedders.0.transformer.${key}`,
      ),
    ],
  }),
  "decoder-normalised": (folder) => {
    const decoder = path.join(folder, "vae");
    cpSync(path.join(EMBEDDED, "base/vae"), decoder, { recursive: true });
    const file = path.join(decoder, "config.json");
    const changed = { latents_mean: [0.5, -0.25, 0.125, 0.3], latents_std: [0.9, 1.1, 1.2, 0.8] };
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), ...changed }));
    return { decoder };
  },
  loras: () => ({
    base: "embedded:base",
    distilled: "embedded:adapters/distilled.safetensors",
    adapters: [
      { ref: "smile.base", scale: -1 },
      { ref: "blueprint", on: "distilled" },
    ],
    embeddings: [{ ref: "embedded:adapters/pip.safetensors", token: "<zq>" }],
  }),
};

describe("scripts of `plan --as diffusers` with other models, run with diffusers", { timeout: 240_000 }, () => {
  it.each(Object.entries(MODELS))("%s", async (name, models) => {
    const { request } = description(`script-models/${name}`, schema);
    await using pair = await openPair({ ...models(temporaryFolder()), threads: 1 });
    const latents: FloatTensor[] = [];
    const pixels: number[] = [];
    for await (const event of generate(pair, request)) {
      if (event.type !== "image") continue;
      latents.push(event.latents);
      pixels.push(...event.image.data);
    }
    const theirs = await tensors(`script-models/${name}`);
    expect(farthest(stack(latents).data, theirs.float("latents").data)).toBeLessThan(LATENTS);
    const images = theirs.bytes("images");
    expect(pixels).toHaveLength(images.length);
    expect(Math.max(...pixels.map((pixel, i) => Math.abs(pixel - (images[i] ?? 0))))).toBeLessThanOrEqual(PIXELS);
  });
});
