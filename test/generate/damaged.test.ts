import { cpSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { safetensors } from "../../src/checkpoint/index.js";
import { readTensors } from "../../src/checkpoint/node/index.js";
import { type GenerateRequest, generate } from "../../src/generate/index.js";
import { resolveReference } from "../../src/lookup/index.js";
import { openPair, type PairReference } from "../../src/open/index.js";
import { temporaryFolder } from "../support/folder.js";

const DECODER = fileURLToPath(new URL("../decode/fixtures/nan-in-weights", import.meta.url));

/** A copy of a folder of the package in which the first value of a tensor is `value`. */
async function damaged(ref: string, name: string, tensor: string, value: number): Promise<string> {
  const folder = path.join(temporaryFolder(), "model");
  cpSync(resolveReference(ref), folder, { recursive: true });
  const file = path.join(folder, name);
  const tensors = await readTensors(file);
  const found = tensors.get(tensor);
  if (!found) throw new Error(`no tensor ${tensor}`);
  found.data[0] = value;
  writeFileSync(file, safetensors(Object.fromEntries(tensors)));
  return folder;
}

async function failure(reference: PairReference, asked: Partial<GenerateRequest> = {}): Promise<unknown> {
  const pair = await openPair(reference, { threads: 1 });
  const request = { prompts: ["x"], size: { width: 64, height: 48 }, mode: "hybrid", ...asked } as const;
  try {
    for await (const event of generate(pair, request)) if (event.type === "image") return "an image";
    return null;
  } catch (error) {
    return error;
  } finally {
    await pair.close();
  }
}

const UNET = "unet/diffusion_pytorch_model.safetensors";

describe("a network whose output is not finite stops the run, and is named with its file:", {
  timeout: 240_000,
}, () => {
  it.each([Number.NaN, Number.POSITIVE_INFINITY])("the distilled denoiser with %s", async (value) => {
    const distilled = await damaged("embedded:distilled", UNET, "conv_in.weight", value);
    expect(await failure({ base: "embedded:base", distilled })).toMatchObject({
      exitCode: 3,
      network: "the distilled denoiser",
      at: expect.stringMatching(/^row 1 /),
      tensor: "conv_in.weight",
      file: path.join(distilled, UNET),
    });
  });

  it("a text encoder", async () => {
    const file = "text_encoder_2/model.safetensors";
    const tensor = "text_model.encoder.layers.0.mlp.fc1.weight";
    const base = await damaged("embedded:base", file, tensor, Number.NaN);
    expect(await failure({ base, distilled: "embedded:distilled" })).toMatchObject({
      exitCode: 3,
      network: "text encoder 2",
      tensor,
      file: path.join(base, file),
      message: expect.stringMatching(/^text encoder 2 returned NaN or infinity at "x"; .* the file is damaged$/),
    });
  });

  it.each([undefined, 4])("the decoder, in tiles of %s", async (tile) => {
    expect(await failure({ decoder: DECODER }, tile === undefined ? {} : { tile })).toMatchObject({
      exitCode: 3,
      network: "the decoder",
      tensor: "decoder.layers.0.weight",
      file: path.join(DECODER, "diffusion_pytorch_model.safetensors"),
    });
  });
});
