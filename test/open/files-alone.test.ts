import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { readFloats, safetensors } from "../../src/checkpoint/index.js";
import { openComponentWeights } from "../../src/checkpoint/node/index.js";
import { generate } from "../../src/generate/index.js";
import { openPair, type PairReference, readFiles } from "../../src/open/index.js";
import { type FloatTensor, float } from "../../src/tensor/index.js";
import { checkpointFolder } from "../support/checkpoint.js";
import { temporaryFolder } from "../support/folder.js";

type Tensors = Record<string, FloatTensor>;

/** A copy of a small Z-Image whose axes are those that are inferred from a file. */
function model(): string {
  const folder = path.join(temporaryFolder(), "model");
  cpSync(checkpointFolder("zimage"), folder, { recursive: true });
  const config = path.join(folder, "transformer", "config.json");
  writeFileSync(config, JSON.stringify({ ...JSON.parse(readFileSync(config, "utf8")), axes_dims: [4, 6, 6] }));
  return folder;
}

async function tensorsIn(folder: string, prefix = ""): Promise<Tensors> {
  const stem = readdirSync(folder).some((file) => file.startsWith("diffusion_")) ? "diffusion_pytorch_model" : "model";
  const { weights } = await openComponentWeights(folder, stem);
  const found: Tensors = {};
  for (const [key, weight] of weights) found[`${prefix}${key}`] = float(weight.shape, await readFloats(weight));
  return found;
}

/** A folder of ComfyUI with the parts of a model as files, the tokenizer that the program brings along, and a checkpoint of all parts. */
async function comfy(folder: string): Promise<string> {
  const root = path.join(temporaryFolder(), "ComfyUI");
  const write = (place: string, tensors: Tensors) => {
    const file = path.join(root, "models", place);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, safetensors(tensors));
  };
  const part = (name: string, prefix?: string) => tensorsIn(path.join(folder, name), prefix);
  write("diffusion_models/z_image.safetensors", await part("transformer"));
  write("text_encoders/qwen_3_4b.safetensors", await part("text_encoder", "model."));
  write("vae/ae.safetensors", await part("vae"));
  write("checkpoints/z_image_aio.safetensors", {
    ...(await part("transformer", "model.diffusion_model.")),
    ...(await part("text_encoder", "text_encoders.qwen3_4b.transformer.model.")),
    ...(await part("vae", "vae.")),
  });
  cpSync(path.join(folder, "tokenizer"), path.join(root, "comfy", "text_encoders", "qwen25_tokenizer"), {
    recursive: true,
  });
  return root;
}

async function latentsOf(reference: PairReference): Promise<Float32Array> {
  await using pair = await openPair(reference, { threads: 1 });
  const request = { prompts: ["a hat"], seeds: [3], steps: 2, size: { width: 48, height: 32 } };
  for await (const event of generate(pair, request)) if (event.type === "image") return event.latents.data;
  throw new Error("no image");
}

describe("a transformer in a file as the base", { timeout: 240_000 }, async () => {
  const folder = model();
  const root = await comfy(folder);
  const file = (place: string) => path.join(root, "models", place);
  // The small autoencoder has groups of norms that no file tells.
  const decoder = path.join(folder, "vae");
  const parts = { base: file("diffusion_models/z_image.safetensors"), decoder };
  const textEncoders = [file("text_encoders/qwen_3_4b.safetensors")];
  const inFolder = await latentsOf({ base: folder });

  it("gives the latents of the folder, with the text encoder in a file and the tokenizer of ComfyUI", async () => {
    const modelFolders = [{ kind: "comfy", path: root }] as const;
    const found = await latentsOf({ base: "z_image", decoder, textEncoders: ["qwen_3_4b"], modelFolders });
    expect(found).toEqual(inFolder);
    // The folder of models leads to the program's, too.
    const below = [{ kind: "comfy", path: path.join(root, "models") }] as const;
    await expect(readFiles({ ...parts, textEncoders, modelFolders: below })).resolves.toBeDefined();
  });

  it("gives them with a tokenizer by its folder, or that of the text encoder's pipeline", async () => {
    const tokenizer = path.join(folder, "tokenizer");
    expect(await latentsOf({ ...parts, textEncoders, tokenizer })).toEqual(inFolder);
    expect(await latentsOf({ ...parts, textEncoders: [path.join(folder, "text_encoder")] })).toEqual(inFolder);
  });

  it("gives them from one file with all parts", async () => {
    const base = file("checkpoints/z_image_aio.safetensors");
    expect(await latentsOf({ base, decoder, tokenizer: path.join(folder, "tokenizer") })).toEqual(inFolder);
  });

  it("finds text encoder and autoencoder in ComfyUI's folders by the names under which they are published", async () => {
    const modelFolders = [{ kind: "comfy", path: root }] as const;
    expect(await latentsOf({ base: "z_image", decoder, modelFolders })).toEqual(inFolder);
    const { located } = await readFiles({ base: "z_image", modelFolders });
    expect(located.textEncoders).toEqual([file("text_encoders/qwen_3_4b.safetensors")]);
    expect(located.decoder).toBe(file("vae/ae.safetensors"));
  });

  it("finds them in another storage type, and asks where there are several", async () => {
    const other = await comfy(folder);
    const place = (name: string) => path.join(other, "models", "text_encoders", name);
    renameSync(place("qwen_3_4b.safetensors"), place("qwen_3_4b_fp8_mixed.safetensors"));
    const modelFolders = [{ kind: "comfy", path: other }] as const;
    const { located } = await readFiles({ base: "z_image", modelFolders });
    expect(located.textEncoders).toEqual([place("qwen_3_4b_fp8_mixed.safetensors")]);
    cpSync(place("qwen_3_4b_fp8_mixed.safetensors"), place("qwen_3_4b-Q4_0.safetensors"));
    await expect(readFiles({ base: "z_image", modelFolders })).rejects.toThrow(
      "the text encoder could be qwen_3_4b-Q4_0.safetensors or qwen_3_4b_fp8_mixed.safetensors; name one with --text-encoder",
    );
  });

  it("never takes the tokenizer of another model", async () => {
    await expect(readFiles({ ...parts, textEncoders })).rejects.toThrow(
      "the tokenizer of text_encoder (Qwen3 4B) is missing; give its folder as --tokenizer, or --tokenizer Qwen/Qwen3-4B",
    );
  });

  it("scales and shifts latents for an autoencoder in a file as its family does", async () => {
    const { decoder: inside } = await readFiles({ base: folder });
    const { decoder: alone } = await readFiles({ base: folder, decoder: file("vae/ae.safetensors") });
    expect(inside.config.scaling).toMatchObject({ scale: 0.3611, shift: 0.1159 });
    expect(alone.config.scaling).toEqual(inside.config.scaling);
    const tokenizer = path.join(folder, "tokenizer");
    const whole = await readFiles({ base: file("checkpoints/z_image_aio.safetensors"), tokenizer });
    expect(whole.decoder.config.scaling).toEqual(inside.config.scaling);
  });

  it("refuses a tokenizer for a model whose text encoders are CLIPs", async () => {
    await expect(readFiles({ base: "embedded:base", tokenizer: path.join(folder, "tokenizer") })).rejects.toThrow(
      /reads text by CLIP, whose tokenizer is that of the model/,
    );
  });
});
