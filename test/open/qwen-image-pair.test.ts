import { cpSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import {
  openCheckpoint,
  readAutoencoder,
  readTextEncoder,
  safetensors,
  tensorsOf,
} from "../../src/checkpoint/index.js";
import { disk, openWeights } from "../../src/checkpoint/node/index.js";
import { decodeLatents } from "../../src/decode/index.js";
import { recognise } from "../../src/families/index.js";
import { type GenerateRequest, generate, planFor, settingsFor } from "../../src/generate/index.js";
import { openPair, type PairReference, readFiles } from "../../src/open/index.js";
import { createRng, type FloatTensor, float } from "../../src/tensor/index.js";
import { checkpointFolder, componentFolder } from "../support/checkpoint.js";
import { temporaryFolder } from "../support/folder.js";
import { writeGguf } from "../support/gguf.js";
import { farthest, tensors } from "../support/parity.js";

const base = checkpointFolder("qwenimage");
const levels = (plan: ReturnType<typeof planFor>) => plan.rows.map(({ from }) => Number(from.sigma.toFixed(4)));

async function latentsOf(reference: PairReference, request: Partial<GenerateRequest>): Promise<Float32Array> {
  const pair = await openPair(reference, { threads: 1 });
  try {
    const whole = { prompts: ["a hat"], steps: 2, size: { width: 40, height: 24 }, ...request };
    for await (const e of generate(pair, whole)) if (e.type === "image") return e.latents.data;
    throw new Error("no picture");
  } finally {
    await pair.close();
  }
}

function write(name: string, file: Record<string, FloatTensor>): string {
  const place = path.join(temporaryFolder(), name);
  writeFileSync(place, safetensors(file));
  return place;
}

/** The Lightning LoRA of the goldens, as a file with this name. */
async function lightning(name: string): Promise<string> {
  const all = await tensors("adapters/qwenimage-lightning");
  const own = all.names.filter((key) => key.startsWith("file/"));
  return write(name, Object.fromEntries(own.map((key) => [key.slice("file/".length), all.float(key)])));
}

/** A copy of the base with another config of a part. */
function changed(part: string, config: Record<string, unknown>): string {
  const folder = path.join(temporaryFolder(), "model");
  cpSync(base, folder, { recursive: true });
  const file = path.join(folder, part);
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), ...config }));
  return folder;
}

describe("Qwen-Image", { timeout: 240_000 }, () => {
  it("gives the base steps with guidance, and a Lightning LoRA the schedule and steps of its authors by its name", async () => {
    const alone = await readFiles({ base });
    expect(settingsFor(alone, {}).base).toMatchObject({ steps: { value: 50 }, guidance: { value: 4 } });
    expect(planFor(alone, {}).rows[0]).toMatchObject({ guidance: 4, guidanceTokens: 2 });
    // The last level is the config's shift_terminal.
    expect(levels(planFor(alone, {})).at(-1)).toBe(0.02);

    const distilled = await lightning("Qwen-Image-Lightning-8steps-V2.0-bf16.safetensors");
    const pair = await readFiles({ base, distilled });
    const plan = planFor(pair, {});
    // A shift of 3 at every size, and three steps by the base: 0.833 is nearest to 0.8.
    expect(levels(plan)).toEqual([1, 0.9545, 0.9, 0.8333, 0.75, 0.6429, 0.5, 0.3]);
    expect(plan.rows.map((row) => row.kind === "step" && row.model).slice(2, 4)).toEqual(["base", "distilled"]);
    expect(plan.rows[0]).not.toHaveProperty("guidanceTokens");
    expect(settingsFor(pair, {}).distilled?.steps).toMatchObject({ value: 8, pair: "qwen-image-lightning-8" });
    const four = await readFiles({ base, distilled: await lightning("Qwen-Image-Lightning-4steps-V1.0.safetensors") });
    expect(levels(planFor(four, {}))).toEqual([1, 0.9, 0.75, 0.5]);
  });

  it("runs a LoRA as the distilled model, by which the base's steps are not changed", async () => {
    const distilled = await lightning("some-lora.safetensors");
    const request = { guidance: 0 };
    const own = await latentsOf({ base, distilled }, { ...request, mode: "distilled" });
    expect(own).toEqual(await latentsOf({ base, adapters: [{ ref: distilled }] }, { ...request, mode: "base" }));
    const plain = await latentsOf({ base }, request);
    expect(await latentsOf({ base, distilled }, { ...request, mode: "hybrid", switch: 2 })).toEqual(plain);
    expect(farthest(own, plain)).toBeGreaterThan(1e-2);
  });

  it("takes a transformer in GGUF, as ComfyUI-GGUF writes it, as the distilled model", async () => {
    const folder = componentFolder("qwen-image-fast");
    const own = await tensorsOf(await openWeights(path.join(folder, "diffusion_pytorch_model.safetensors")));
    const file = path.join(temporaryFolder(), "qwen-image-q.gguf");
    writeGguf(file, Object.fromEntries(own), () => "float32", { "general.architecture": "qwen_image" });
    const request = { mode: "distilled", guidance: 0 } as const;
    expect(await latentsOf({ base, distilled: file }, request)).toEqual(
      await latentsOf({ base, distilled: folder }, request),
    );
  });

  it("refuses the variants for images and for layers by what their configs set, or by their pipelines", async () => {
    const transformer = "transformer/config.json";
    await expect(readFiles({ base: changed(transformer, { zero_cond_t: true }) })).rejects.toThrow(
      /zero_cond_t.*Qwen-Image-Edit, which reads images/,
    );
    await expect(readFiles({ base: changed(transformer, { use_layer3d_rope: true }) })).rejects.toThrow(
      /use_layer3d_rope.*Qwen-Image-Layered/,
    );
    await expect(readFiles({ base: changed(transformer, { in_channels: 132 }) })).rejects.toThrow(
      /in_channels 132 is not 64, 2 × 2 latents of out_channels 16/,
    );
    const edit = changed("model_index.json", { _class_name: "QwenImageEditPlusPipeline" });
    await expect(openCheckpoint(disk, edit)).rejects.toThrow(/Qwen-Image-Edit, which reads images; .*Qwen-Image/);
    const marks = ["transformer_blocks.0.img_mlp.net.0.proj.weight", "txt_norm.weight"].map(
      (key) => [key, [1]] as const,
    );
    const of = (more: string) => recognise(new Map([...marks, [more, [1]] as const]));
    expect(of("__index_timestep_zero__").about).toBe("Qwen-Image-Edit, which reads images");
    expect(of("time_text_embed.addition_t_embedding.weight").about).toMatch(/^Qwen-Image-Layered/);
    expect(of("proj_out.weight")).toMatchObject({ kind: "unet", family: "qwenimage" });
  });

  it("cuts a prompt after 1,024 tokens of it and of the format's end", async () => {
    const pair = await openPair({ base }, { threads: 1 });
    try {
      const longest = pair.text.lengthOf("é".repeat(4000), "plain");
      expect(longest).toBe(1024);
      expect(pair.text.unconditional).toBe(" ");
      expect(pair.text.lengthOf("a", "plain") % 32).toBe(0);
    } finally {
      await pair.close();
    }
  });
});

/** Diffusers' names of the autoencoder of the goldens in Wan's code, which numbers the layers of each half. */
function wanName(name: string): string {
  const residual = (rest: string) =>
    rest
      .replace(/^norm1\./, "residual.0.")
      .replace(/^conv1\./, "residual.2.")
      .replace(/^norm2\./, "residual.3.")
      .replace(/^conv2\./, "residual.6.")
      .replace(/^conv_shortcut\./, "shortcut.");
  return (
    name
      .replace(/^quant_conv\./, "conv1.")
      .replace(/^post_quant_conv\./, "conv2.")
      .replace(/^(\w+)\.conv_in\./, "$1.conv1.")
      .replace(/^(\w+)\.norm_out\./, "$1.head.0.")
      .replace(/^(\w+)\.conv_out\./, "$1.head.2.")
      .replace(/mid_block\.resnets\.(\d)\.(.+)$/, (_, i, rest) => `middle.${2 * i}.${residual(rest)}`)
      .replace("mid_block.attentions.0.", "middle.1.")
      .replace(/down_blocks\.(\d+)\.(.+)$/, (_, i, rest) => `downsamples.${i}.${residual(rest)}`)
      // Three residual blocks a level in the deep one, then the upsampling.
      .replace(/up_blocks\.(\d)\.resnets\.(\d)\.(.+)$/, (_, i, j, rest) => `upsamples.${4 * i + +j}.${residual(rest)}`)
      .replace(/up_blocks\.(\d)\.upsamplers\.0\./, (_, i) => `upsamples.${4 * i + 3}.`)
  );
}

describe("the autoencoder of Qwen-Image", { timeout: 240_000 }, () => {
  const folder = componentFolder("vae-qwen-image-deep");

  it("is read from ComfyUI's file with Wan's names", async () => {
    const own = await tensorsOf(await openWeights(path.join(folder, "diffusion_pytorch_model.safetensors")));
    const wan = Object.fromEntries([...own].map(([name, tensor]) => [wanName(name), tensor]));
    expect(Object.keys(wan)).toEqual(
      expect.arrayContaining([
        "decoder.upsamples.3.resample.1.weight",
        "decoder.middle.0.residual.0.gamma",
        "conv2.bias",
      ]),
    );
    const file = write("qwen_image_vae.safetensors", wan);
    const component = await readAutoencoder(await disk.open(file));
    expect(component).toMatchObject({
      className: "AutoencoderKLQwenImage",
      config: { base_dim: 8, z_dim: 4, dim_mult: [1, 2, 3, 3], num_res_blocks: 2 },
    });
    const { weights } = await component.weights();
    expect([...weights.keys()].toSorted()).toEqual([...own.keys()].toSorted());
    for (const [name, { shape }] of weights) expect({ name, shape }).toEqual({ name, shape: own.get(name)?.shape });
  });

  it.each([3, 5])("decodes in tiles of %i latents to the picture of the whole", async (tile) => {
    const pair = await openPair({ base }, { threads: 1 });
    try {
      const z = createRng(5).randn([1, 16, 6, 10]);
      const [whole] = await decodeLatents(pair.decoder, z, { ...pair.engine, tile: "off" });
      const [tiled] = await decodeLatents(pair.decoder, z, { ...pair.engine, tile });
      if (!whole || !tiled) throw new Error("no picture");
      expect([whole.width, whole.height]).toEqual([40, 24]);
      const most = whole.data.reduce((n, v, i) => Math.max(n, Math.abs(v - (tiled.data[i] ?? 0))), 0);
      expect(most).toBeLessThanOrEqual(1);
      expect(Math.max(...whole.data) - Math.min(...whole.data)).toBeGreaterThan(50);
    } finally {
      await pair.close();
    }
  });
});

describe("Qwen2.5-VL in a file", () => {
  const shapes = (prefix: string): Record<string, FloatTensor> =>
    Object.fromEntries(
      [
        ["embed_tokens.weight", [7, 256]],
        ["layers.0.self_attn.q_proj.weight", [256, 256]],
        ["layers.0.self_attn.q_proj.bias", [256]],
        ["layers.0.self_attn.k_proj.weight", [128, 256]],
        ["layers.0.mlp.gate_proj.weight", [5, 256]],
      ].map(([name, shape]) => [`${prefix}${name}`, float(shape as number[])]),
    );

  it.each([
    ["model.", {}],
    ["model.language_model.", { "model.visual.blocks.0.norm1.weight": float([4]) }],
    ["text_encoders.qwen25_7b.transformer.model.", {}],
  ])("is told by its biases, and read without its vision tower: %s", async (prefix, more) => {
    const file = write("qwen_2.5_vl_7b.safetensors", { ...shapes(prefix), ...more });
    const read = await readTextEncoder(await disk.open(file), "text_encoder", "qwenimage");
    expect(read).toMatchObject({
      className: "Qwen2_5_VLForConditionalGeneration",
      config: {
        model_type: "qwen2_5_vl_text",
        hidden_size: 256,
        num_attention_heads: 2,
        num_key_value_heads: 1,
        vocab_size: 7,
        rope_theta: 1_000_000,
      },
    });
  });
});
