import { copyFileSync, cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { readFloats, safetensors } from "../../src/checkpoint/index.js";
import { clipTokenizer, openComponentWeights } from "../../src/checkpoint/node/index.js";
import { FAMILIES, otherLayers } from "../../src/families/index.js";
import { type GenerateRequest, generate, planFor, settingsFor } from "../../src/generate/index.js";
import { openPair, type PairReference, readFiles } from "../../src/open/index.js";
import { type FloatTensor, float } from "../../src/tensor/index.js";
import { checkpointFolder, componentFolder, componentGolden, fileTensors, stemOf } from "../support/checkpoint.js";
import { temporaryFolder } from "../support/folder.js";
import { farthest, tensors } from "../support/parity.js";
import { torchFile } from "../support/torchfile.js";

const base = checkpointFolder("sd3");
const fast = checkpointFolder("sd3-fast");
const levels = (plan: ReturnType<typeof planFor>) => plan.rows.map(({ from }) => Number(from.sigma.toFixed(4)));

/** Latents of one image. */
async function latentsOf(reference: PairReference, request: Partial<GenerateRequest>): Promise<Float32Array> {
  const pair = await openPair(reference, { threads: 1 });
  try {
    const whole = { prompts: ["a hat"], steps: 1, size: { width: 40, height: 24 }, ...request };
    for await (const e of generate(pair, whole)) if (e.type === "image") return e.latents.data;
    throw new Error("no picture");
  } finally {
    await pair.close();
  }
}

/** A LoRA of the goldens as a file with this name. */
async function loraFile(golden: string, name: string): Promise<string> {
  const all = await tensors(`adapters/${golden}`);
  const own = all.names.filter((key) => key.startsWith("file/"));
  const file = path.join(temporaryFolder(), name);
  writeFileSync(file, safetensors(Object.fromEntries(own.map((key) => [key.slice("file/".length), all.float(key)]))));
  return file;
}

describe("Stable Diffusion 3", () => {
  it("gives the base steps with guidance, and a distilled model few without", async () => {
    const settings = settingsFor(await readFiles({ base, distilled: fast }), {});
    expect(settings.base).toMatchObject({ guidance: { value: 0 } });
    expect(settings.distilled).toMatchObject({ steps: { value: 4 }, guidance: { value: 0 } });
    expect(settings.switch).toEqual({ value: 1, from: "default" });
    const alone = settingsFor(await readFiles({ base }), {});
    expect(alone.base).toMatchObject({ steps: { value: 28 }, guidance: { value: 4.5 } });
  });

  it("shifts its own schedule twice, as diffusers does", async () => {
    const pair = await readFiles({ base, distilled: fast });
    expect(levels(planFor(pair, {}))).toEqual([1, 0.8577, 0.6022, 0.0089]);
  });

  it("refuses images beyond the table of positions of either model", async () => {
    // 9 × 9 tokens of 8 pixels; the distilled model has 8 × 8.
    const wide = (width: number) => latentsOf({ base }, { size: { width, height: 24 } });
    await expect(wide(80)).rejects.toThrow(/width 80: .* has position embeddings for at most 72 pixels a side/);
    await expect(latentsOf({ base, distilled: fast }, { size: { width: 24, height: 72 } })).rejects.toThrow(
      /height 72: .* has position embeddings for at most 64 pixels a side/,
    );
  });

  it("refuses a folder without a text encoder that its index names", async () => {
    const folder = path.join(temporaryFolder(), "model");
    cpSync(base, folder, { recursive: true });
    rmSync(path.join(folder, "text_encoder_3"), { recursive: true });
    await expect(readFiles({ base: folder })).rejects.toThrow(/text_encoder_3 is missing; the folder has: /);
  });

  it("takes T5 from elsewhere for a folder that leaves it out", { timeout: 240_000 }, async () => {
    const without = checkpointFolder("sd3-without-t5");
    await expect(readFiles({ base: without, textEncoders: [componentFolder("t5-wide")] })).rejects.toThrow(
      /the tokenizer of text_encoder_3 .* is missing/,
    );
    const own = path.join(temporaryFolder(), "t5");
    cpSync(componentFolder("t5-wide"), own, { recursive: true });
    copyFileSync(path.join(base, "tokenizer_3", "tokenizer.json"), path.join(own, "tokenizer.json"));
    const given = await latentsOf({ base: without, textEncoders: [own] }, {});
    expect(given).toEqual(await latentsOf({ base }, {}));
    expect(given).not.toEqual(await latentsOf({ base: without }, {}));
  });

  it("refuses LoRAs of other families by name, and those of a larger sibling by their shapes", async () => {
    const flux = await loraFile("flux1-peft", "flux.safetensors");
    await expect(openPair({ base, adapters: [{ ref: flux }] })).rejects.toThrow(
      /is an adapter for FLUX.1.*; the model is Stable Diffusion 3 \(it has the tensor/,
    );
    const own = await loraFile("sd3-kohya", "own.safetensors");
    await expect(openPair({ base: checkpointFolder("flux1"), adapters: [{ ref: own }] })).rejects.toThrow(
      /is an adapter for Stable Diffusion 3; the model is FLUX.1/,
    );
    await expect(openPair({ base: fast, adapters: [{ ref: own }] })).rejects.toThrow(
      /is \[2, 32\]; transformer_blocks.0.norm1_context.linear asks for \[rank, 48\]/,
    );
  });

  it("reads LoRAs on T5 as diffusers and kohya name them, and only on T5", { timeout: 240_000 }, async () => {
    const layer = "encoder.block.1.layer.0.SelfAttention.q";
    const wave = (n: number, by: number) => Float32Array.from({ length: n }, (_, i) => Math.sin(by * (i + 1)));
    const down = float([2, 96], wave(192, 1.3));
    const up = float([32, 2], wave(64, 0.7));
    const write = (name: string, lora: Record<string, FloatTensor>) => {
      const file = path.join(temporaryFolder(), name);
      writeFileSync(file, safetensors(lora));
      return file;
    };
    const peft = write("peft.safetensors", {
      [`text_encoder_3.${layer}.lora_A.weight`]: down,
      [`text_encoder_3.${layer}.lora_B.weight`]: up,
    });
    const key = `lora_te3_${layer.replaceAll(".", "_")}`;
    const kohya = write("kohya.safetensors", {
      [`${key}.lora_down.weight`]: down,
      [`${key}.lora_up.weight`]: up,
      [`${key}.alpha`]: float([], Float32Array.of(2)),
    });
    const changed = await latentsOf({ base, adapters: [{ ref: peft }] }, {});
    expect(await latentsOf({ base, adapters: [{ ref: kohya }] }, {})).toEqual(changed);
    expect(farthest(changed, await latentsOf({ base }, {}))).toBeGreaterThan(1e-3);
    const without = checkpointFolder("sd3-without-t5");
    await expect(openPair({ base: without, adapters: [{ ref: peft }] })).rejects.toThrow(
      /none of its 2 keys .* belongs to this model/,
    );
  });

  it("takes a whole transformer from a state dict of PyTorch, as DP-DMD is published", {
    timeout: 240_000,
  }, async () => {
    const file = path.join(temporaryFolder(), "student.pt");
    writeFileSync(file, torchFile(fileTensors(componentGolden("sd3-fast"))));
    const request = { mode: "distilled" as const };
    const expected = await latentsOf({ base, distilled: componentFolder("sd3-fast") }, request);
    expect(await latentsOf({ base, distilled: file }, request)).toEqual(expected);
    expect(farthest(expected, await latentsOf({ base }, { guidance: 0 }))).toBeGreaterThan(1e-2);
  });

  it("refuses syntaxes of weights, and a T5 of another width", async () => {
    await expect(latentsOf({ base }, { promptSyntax: "a1111" })).rejects.toThrow(/the text of this model is T5's/);
    await expect(readFiles({ base, textEncoders: [componentFolder("t5")] })).rejects.toThrow(
      /the denoiser expects 96 text features; its text encoders give 80/,
    );
  });
});

/** Tensors of a component's folder, with a prefix. */
async function prefixed(component: string, prefix: string): Promise<Record<string, FloatTensor>> {
  const golden = componentGolden(component);
  const { weights } = await openComponentWeights(componentFolder(component), stemOf(golden));
  const read = [...weights].map(async ([name, weight]) => [
    `${prefix}${name}`,
    float(weight.shape, await readFloats(weight)),
  ]);
  return Object.fromEntries(await Promise.all(read));
}

/** A transformer with the names of Stability's code, as single files have it. */
async function stability(component: string): Promise<Record<string, FloatTensor>> {
  const own = await prefixed(component, "");
  const names = otherLayers(FAMILIES.sd3.denoiser.transformer?.names ?? [], Object.keys(own));
  const rows = new Map<string, Map<number, FloatTensor>>();
  for (const [name, tensor] of Object.entries(own)) {
    const { name: key, share, swapped } = names.get(name) ?? { name };
    const half = tensor.data.length / 2;
    const turned = float(tensor.shape, Float32Array.of(...tensor.data.slice(half), ...tensor.data.slice(0, half)));
    const parts = rows.get(key) ?? new Map<number, FloatTensor>();
    rows.set(key, parts.set(share?.[0] ?? 0, swapped ? turned : tensor));
  }
  return Object.fromEntries(
    [...rows].map(([key, parts]) => {
      const [first, ...more] = [...parts].toSorted(([a], [b]) => a - b).map(([, part]) => part);
      const { shape = [], data = new Float32Array() } = first ?? {};
      if (more.length === 0) return [`model.diffusion_model.${key}`, float(shape, data)];
      const all = Float32Array.from([data, ...more.map((m) => m.data)].flatMap((values) => [...values]));
      return [`model.diffusion_model.${key}`, float([(shape[0] ?? 0) * 3, ...shape.slice(1)], all)];
    }),
  );
}

/** Rows of the table of CLIP's own vocabulary. */
const WORDS = 49_408;

/** A CLIP with embeddings for all of CLIP's words. */
async function clip(component: string, prefix: string): Promise<Record<string, FloatTensor>> {
  const all = await prefixed(component, prefix);
  const table = Object.keys(all).find((key) => key.endsWith("token_embedding.weight")) ?? "";
  const width = all[table]?.shape[1] ?? 0;
  const values = Float32Array.from({ length: WORDS * width }, (_, i) => Math.sin(i) / 2);
  return { ...all, [table]: float([WORDS, width], values) };
}

describe("one file of Stable Diffusion 3", { timeout: 240_000 }, () => {
  const [prefixL, prefixG] = ["text_encoders.clip_l.transformer.", "text_encoders.clip_g.transformer."];
  const decoder = componentFolder("vae-sd3");

  function write(name: string, tensors: Record<string, FloatTensor>): string {
    const file = path.join(temporaryFolder(), name);
    writeFileSync(file, safetensors(tensors));
    return file;
  }

  /** A folder with the same parts. CLIP ViT-L's projection is the identity, as in Stability's own; heads are those that a file gives a CLIP of this width. */
  async function folderOf(): Promise<string> {
    const folder = path.join(temporaryFolder(), "model");
    cpSync(checkpointFolder("sd3-without-t5"), folder, { recursive: true });
    cpSync(componentFolder("sd3-file"), path.join(folder, "transformer"), { recursive: true });
    const identity = float(
      [32, 32],
      Float32Array.from({ length: 32 * 32 }, (_, i) => (i % 33 === 0 ? 1 : 0)),
    );
    const [l, g] = [await clip("text-sd3", ""), await clip("text-sdxl-2", "")];
    const encoders = [
      ["", "text-sd3", { ...l, "text_projection.weight": identity }, "<|endoftext|>"],
      ["_2", "text-sdxl-2", g, "!"],
    ] as const;
    for (const [end, component, tensors, padding] of encoders) {
      const place = (name: string, file: string) => path.join(folder, `${name}${end}`, file);
      rmSync(place("text_encoder", ""), { recursive: true });
      rmSync(place("tokenizer", ""), { recursive: true });
      mkdirSync(place("text_encoder", ""));
      mkdirSync(place("tokenizer", ""));
      writeFileSync(place("text_encoder", "model.safetensors"), safetensors(tensors));
      const own = { vocab_size: WORDS, eos_token_id: 49407, num_attention_heads: 1, hidden_act: "quick_gelu" };
      const projection = end === "" ? { projection_dim: 32 } : {};
      const config = { ...componentGolden(component).config, ...own, ...projection };
      writeFileSync(place("text_encoder", "config.json"), JSON.stringify(config));
      const { vocab, merges, config: tokenizer } = await clipTokenizer(padding);
      writeFileSync(place("tokenizer", "vocab.json"), JSON.stringify(vocab));
      writeFileSync(place("tokenizer", "merges.txt"), `#version: 0.2\n${merges}\n`);
      writeFileSync(place("tokenizer", "tokenizer_config.json"), JSON.stringify(tokenizer));
    }
    return folder;
  }

  it("gives what a folder gives, with both CLIPs inside or from files, and without T5", async () => {
    const transformer = await stability("sd3-file");
    expect(transformer["model.diffusion_model.joint_blocks.0.x_block.attn2.qkv.weight"]?.shape).toEqual([96, 32]);
    const [l, g] = [await clip("text-sd3", prefixL), await clip("text-sdxl-2", prefixG)];
    const whole = write("incl_clips.safetensors", { ...transformer, ...l, ...g });
    const alone = write("alone.safetensors", transformer);
    const expected = await latentsOf({ base: await folderOf() }, {});
    expect(await latentsOf({ base: whole, decoder }, {})).toEqual(expected);
    const textEncoders = [write("clip_g.safetensors", g), write("clip_l.safetensors", l)];
    expect(await latentsOf({ base: alone, decoder, textEncoders }, {})).toEqual(expected);
    await expect(readFiles({ base: alone, decoder })).rejects.toThrow(
      /holds a transformer without text encoders: .*--text-encoder: CLIP ViT-L and OpenCLIP ViT-bigG$/,
    );
  });

  it("stays without T5, though a folder of ComfyUI has one", async () => {
    const file = write("incl_clips.safetensors", {
      ...(await stability("sd3-file")),
      ...(await clip("text-sd3", prefixL)),
      ...(await clip("text-sdxl-2", prefixG)),
    });
    const root = temporaryFolder();
    mkdirSync(path.join(root, "models", "text_encoders"), { recursive: true });
    const t5 = path.join(root, "models", "text_encoders", "t5xxl_fp16.safetensors");
    writeFileSync(t5, safetensors(await prefixed("t5-wide", "")));
    const modelFolders = [{ kind: "comfy", path: root }] as const;
    const { located, textEncoders } = await readFiles({ base: file, decoder, modelFolders });
    expect(located.textEncoders).toEqual([]);
    expect(textEncoders.at(-1)?.kind).toBe("absent");
  });

  it("says what T5 in a file lacks", async () => {
    const file = write("incl_t5.safetensors", {
      ...(await stability("sd3-file")),
      ...(await clip("text-sd3", prefixL)),
      ...(await clip("text-sdxl-2", prefixG)),
      ...(await prefixed("t5-wide", "text_encoders.t5xxl.transformer.")),
    });
    await expect(readFiles({ base: file, decoder })).rejects.toThrow(
      /the tokenizer of text_encoder_3 \(T5 XXL\) is missing; give its folder as --tokenizer, or --tokenizer google\/t5-v1_1-xxl/,
    );
  });
});
