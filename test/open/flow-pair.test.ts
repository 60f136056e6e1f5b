import { copyFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { safetensors, tensorsOf } from "../../src/checkpoint/index.js";
import { openWeights } from "../../src/checkpoint/node/index.js";
import { otherLayers, QWEN_NAMES } from "../../src/families/index.js";
import { generate, planFor, settingsFor } from "../../src/generate/index.js";
import { openPair, readFiles } from "../../src/open/index.js";
import type { FloatTensor } from "../../src/tensor/index.js";
import { checkpointFolder, componentFolder } from "../support/checkpoint.js";
import { temporaryFolder } from "../support/folder.js";

const weightsOf = (component: string) => path.join(componentFolder(component), "diffusion_pytorch_model.safetensors");
const levels = (plan: ReturnType<typeof planFor>) => plan.rows.map(({ from }) => Number(from.sigma.toFixed(4)));

describe("pairs of flow matching families", () => {
  it("take the scheduler and steps of the named pair whose model a file's name tells", async () => {
    const file = path.join(temporaryFolder(), "z_image_turbo_bf16.safetensors");
    copyFileSync(weightsOf("z-image-fast"), file);
    const files = await readFiles({ base: checkpointFolder("zimage"), distilled: file });
    // A shift of 3, where the base's is 6.
    expect(levels(planFor(files, {}))).toEqual([1, 0.9545, 0.9, 0.8333, 0.75, 0.6429, 0.5, 0.3]);
    expect(settingsFor(files, {}).distilled?.steps).toMatchObject({
      value: 8,
      from: "recognised",
      pair: "zimage-turbo",
    });
  });

  it("take the base's scheduler for a file without such a name", async () => {
    const file = path.join(temporaryFolder(), "mine.safetensors");
    copyFileSync(weightsOf("z-image-fast"), file);
    const files = await readFiles({ base: checkpointFolder("zimage"), distilled: file });
    expect(levels(planFor(files, { steps: 2 }))).toEqual([1, 0.8571]);
  });

  it("take few steps without guidance for a base that says it is distilled", async () => {
    const settings = async (name: string) => settingsFor(await readFiles({ base: checkpointFolder(name) }), {}).base;
    expect(await settings("klein-fast")).toMatchObject({ steps: { value: 4 }, guidance: { value: 0 } });
    expect(await settings("klein")).toMatchObject({ steps: { value: 50 }, guidance: { value: 4 } });
  });

  it("refuse an autoencoder of other latents", async () => {
    const reference = { base: checkpointFolder("klein"), decoder: componentFolder("vae-flux2-narrow") };
    await expect(readFiles(reference)).resolves.toBeDefined();
    await expect(readFiles({ ...reference, decoder: componentFolder("taesd") })).rejects.toThrow(
      /decodes latents of 4 channels; those of .* have 16/,
    );
  });

  it("read the same text with llama.cpp's names of Qwen3", { timeout: 240_000 }, async () => {
    const own = await tensorsOf(await openWeights(path.join(componentFolder("qwen3"), "model.safetensors")));
    const names = otherLayers(QWEN_NAMES, [...own.keys()]);
    const renamed: Record<string, FloatTensor> = {};
    for (const [name, tensor] of own) renamed[names.get(name)?.name ?? name] = tensor;
    expect(renamed["blk.3.attn_q_norm.weight"]).toBeDefined();
    const file = path.join(temporaryFolder(), "qwen3.safetensors");
    writeFileSync(file, safetensors(renamed));
    const base = checkpointFolder("zimage");
    const latentsOf = async (textEncoders?: string[]) => {
      const pair = await openPair({ base, ...(textEncoders && { textEncoders }) }, { threads: 1 });
      try {
        const request = { prompts: ["a hat"], steps: 1, guidance: 0, size: { width: 40, height: 24 } };
        for await (const e of generate(pair, request)) if (e.type === "image") return [...e.latents.data];
        throw new Error("no picture");
      } finally {
        await pair.close();
      }
    };
    expect(await latentsOf([file])).toEqual(await latentsOf());
  });
});
