import { copyFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { safetensors } from "../../src/checkpoint/index.js";
import { type GenerateRequest, generate, planFor, settingsFor } from "../../src/generate/index.js";
import { openPair, type PairReference, readFiles } from "../../src/open/index.js";
import { float } from "../../src/tensor/index.js";
import { checkpointFolder, componentFolder } from "../support/checkpoint.js";
import { temporaryFolder } from "../support/folder.js";
import { tensors } from "../support/parity.js";

const base = checkpointFolder("chroma");
const flash = path.join(componentFolder("chroma-fast"), "diffusion_pytorch_model.safetensors");
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

describe("Chroma", () => {
  it("has the pipeline's defaults, and the authors' for a file whose name says Flash", async () => {
    const file = path.join(temporaryFolder(), "Chroma1-HD-Flash.safetensors");
    copyFileSync(flash, file);
    const pair = await readFiles({ base, distilled: file });
    const settings = settingsFor(pair, {});
    expect(settings.base?.guidance).toMatchObject({ value: 0 });
    expect(settings.distilled).toMatchObject({
      steps: { value: 16, from: "recognised", pair: "chroma-flash" },
      guidance: { value: 0 },
    });
    // The row whose level is nearest to σ = 0.8: without a shift, after three of sixteen steps.
    expect(settings.switch).toEqual({ value: 3, from: "default" });
    expect(levels(planFor(pair, {})).slice(2, 5)).toEqual([0.875, 0.8125, 0.75]);
    expect(settingsFor(await readFiles({ base }), {}).base).toMatchObject({
      steps: { value: 35 },
      guidance: { value: 5 },
    });
  });

  it("reads one token of padding: the mask ends after it, at every length of the prompt", async () => {
    const pair = await openPair({ base }, { threads: 1 });
    try {
      const encoded = await pair.text.encode("a hat", 0);
      const mask = [...(encoded.masks?.["text"]?.data ?? [])];
      const used = mask.indexOf(0);
      expect(mask).toHaveLength(512);
      expect(used).toBeGreaterThan(3);
      expect(mask.slice(used).every((visible) => visible === 0)).toBe(true);
      const longer = await pair.text.encode("a hat on a cat", 0);
      expect([...(longer.masks?.["text"]?.data ?? [])].indexOf(0)).toBeGreaterThan(used);
      const full = await pair.text.encode("hat ".repeat(600), 0);
      expect(full.truncated).toBeGreaterThan(0);
      expect([...(full.masks?.["text"]?.data ?? [])].every((visible) => visible === 1)).toBe(true);
    } finally {
      await pair.close();
    }
  });

  it("reads T5 alone, as the text encoder of its own folder", { timeout: 240_000 }, async () => {
    const own = await latentsOf({ base }, {});
    expect(await latentsOf({ base, textEncoders: [componentFolder("t5")] }, {})).toEqual(own);
  });

  it("takes LoRAs of the blocks that it shares with FLUX.1, and refuses those of FLUX.1's modulation", async () => {
    const recorded = await tensors("adapters/flux1-kohya");
    const file = path.join(temporaryFolder(), "flux1.safetensors");
    const own = recorded.names.filter((key) => key.startsWith("file/"));
    writeFileSync(file, safetensors(Object.fromEntries(own.map((key) => [key.slice(5), recorded.float(key)]))));
    await expect(openPair({ base, adapters: [{ ref: file }] })).rejects.toThrow(
      /is an adapter for FLUX.1; the model is Chroma/,
    );
  });

  it("refuses Chroma Radiance by name", async () => {
    const file = path.join(temporaryFolder(), "radiance.safetensors");
    const names = ["distilled_guidance_layer.norms.0.scale", "double_blocks.0.img_attn.norm.key_norm.scale"];
    const all = [...names, "nerf_blocks.0.param_generator.weight"];
    writeFileSync(file, safetensors(Object.fromEntries(all.map((name) => [name, float([2, 2])]))));
    await expect(openPair({ base, distilled: file })).rejects.toThrow(/is Chroma Radiance, which denoises pixels/);
  });
});
