import { copyFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { readFloats, safetensors } from "../../src/checkpoint/index.js";
import { openComponentWeights } from "../../src/checkpoint/node/index.js";
import { otherLayers, T5_NAMES } from "../../src/families/index.js";
import { callsPerImage, type GenerateRequest, generate, planFor, settingsFor } from "../../src/generate/index.js";
import { openPair, type PairReference, readFiles } from "../../src/open/index.js";
import { type FloatTensor, float } from "../../src/tensor/index.js";
import { checkpointFolder, componentFolder } from "../support/checkpoint.js";
import { temporaryFolder } from "../support/folder.js";
import { farthest, tensors } from "../support/parity.js";

const base = checkpointFolder("flux1");
const schnell = checkpointFolder("flux1-fast");
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

describe("FLUX.1", () => {
  it("takes the guidance of dev as an input, and schnell for distilled, which has none", async () => {
    const settings = async (folder: string) => settingsFor(await readFiles({ base: folder }), {}).base;
    expect(await settings(base)).toMatchObject({ steps: { value: 28 }, guidance: { value: 3.5 } });
    expect(await settings(schnell)).toMatchObject({ steps: { value: 4 }, guidance: { value: 0 } });
  });

  it("keeps dev's guidance in the base's steps of a hybrid, where 0 is not none", async () => {
    const pair = await readFiles({ base, distilled: schnell });
    const { base: own, distilled, switch: first } = settingsFor(pair, {});
    expect(own?.guidance).toEqual({ value: 3.5, from: "default" });
    expect(distilled).toMatchObject({ steps: { value: 4 }, guidance: { value: 0 } });
    expect(first).toEqual({ value: 1, from: "default" });
    expect(levels(planFor(pair, {}))).toEqual([1, 0.75, 0.5, 0.25]);
    expect(planFor(pair, {}).rows.map((row) => row.kind === "step" && [row.model, row.guidance])).toEqual([
      ["base", 3.5],
      ["distilled", 0],
      ["distilled", 0],
      ["distilled", 0],
    ]);
  });

  it("takes schnell's schedule for a file whose name tells it", async () => {
    const file = path.join(temporaryFolder(), "flux1-schnell.safetensors");
    copyFileSync(path.join(componentFolder("flux1-fast"), "diffusion_pytorch_model.safetensors"), file);
    const pair = await readFiles({ base, distilled: file });
    expect(levels(planFor(pair, {}))).toEqual([1, 0.75, 0.5, 0.25]);
    expect(settingsFor(pair, {}).distilled?.steps).toMatchObject({ from: "recognised", pair: "flux1-schnell" });
  });

  it("takes true guidance beside the embedded scale, with the negative prompt, and says where it has no effect", async () => {
    const request = { prompts: ["a hat"], steps: 1, size: { width: 40, height: 24 }, guidance: 3.5 };
    const plain = await latentsOf({ base }, request);
    const truly = await latentsOf({ base }, { ...request, trueGuidance: 3, negative: "sad" });
    expect(farthest(truly, plain)).toBeGreaterThan(1e-3);
    expect(
      farthest(truly, await latentsOf({ base }, { ...request, trueGuidance: 3, negative: "blue" })),
    ).toBeGreaterThan(1e-4);
    // At a scale of 1 it is the conditional prediction.
    expect(await latentsOf({ base }, { ...request, trueGuidance: 1, negative: "sad" })).toEqual(plain);
    const plan = planFor(await readFiles({ base }), { steps: 2, trueGuidance: 3 });
    expect(plan.rows).toMatchObject([
      { guidance: 3.5, trueGuidance: 3 },
      { guidance: 3.5, trueGuidance: 3 },
    ]);
    expect(callsPerImage(await readFiles({ base }), plan)).toBe(4);
    const pair = await openPair({ base: schnell }, { threads: 1 });
    try {
      const notices: string[] = [];
      for await (const e of generate(pair, { ...request, guidance: 0, trueGuidance: 3 })) {
        if (e.type === "notice") notices.push(e.text);
      }
      expect(notices.join()).toMatch(/--true-guidance has no effect.*no model of this plan takes the guidance scale/);
    } finally {
      await pair.close();
    }
  });

  it("reads as many tokens of text as asked, and refuses that for other text encoders", async () => {
    const request = { prompts: ["a hat"], steps: 1, size: { width: 40, height: 24 } };
    const short = await latentsOf({ base }, { ...request, textTokens: 64 });
    expect(farthest(short, await latentsOf({ base }, request))).toBeGreaterThan(1e-4);
    expect(await latentsOf({ base }, { ...request, textTokens: 512 })).toEqual(await latentsOf({ base }, request));
    const other = latentsOf({ base: checkpointFolder("klein") }, { ...request, textTokens: 64 });
    await expect(other).rejects.toThrow("--text-tokens: the text of this model is not T5's; leave it out");
    await expect(latentsOf({ base }, { ...request, textTokens: 513 })).rejects.toThrow("expected an integer, 1 to 512");
  });

  it("runs Hyper's LoRA at its author's scale", { timeout: 240_000 }, async () => {
    const distilled = await loraFile("flux1-peft", "Hyper-FLUX.1-dev-8steps-lora.safetensors");
    const own = await latentsOf({ base, distilled }, { mode: "distilled", guidance: 3.5 });
    const scaled = (scale: number) =>
      latentsOf({ base, adapters: [{ ref: distilled, scale }] }, { mode: "base", guidance: 3.5 });
    expect(farthest(own, await scaled(0.125))).toBeLessThan(1e-5);
    expect(farthest(own, await scaled(1))).toBeGreaterThan(1e-2);
  });

  it("reads T5 alone from a file with llama.cpp's names", { timeout: 240_000 }, async () => {
    const { weights } = await openComponentWeights(componentFolder("t5"), "model");
    const names = otherLayers(T5_NAMES, [...weights.keys()]);
    const renamed: Record<string, FloatTensor> = {};
    for (const [name, weight] of weights) {
      renamed[names.get(name)?.name ?? name] = float(weight.shape, await readFloats(weight));
    }
    expect(renamed["enc.blk.2.ffn_gate.weight"]).toBeDefined();
    const file = path.join(temporaryFolder(), "t5.safetensors");
    writeFileSync(file, safetensors(renamed));
    expect(await latentsOf({ base, textEncoders: [file] }, {})).toEqual(await latentsOf({ base }, {}));
  });

  it("refuses LoRAs of FLUX.2 by name, and syntaxes of weights", async () => {
    const lora = await loraFile("klein-peft", "klein.safetensors");
    await expect(openPair({ base, adapters: [{ ref: lora }] })).rejects.toThrow(
      /is an adapter for FLUX.2 klein; the model is FLUX.1/,
    );
    await expect(latentsOf({ base }, { promptSyntax: "a1111" })).rejects.toThrow(/the text of this model is T5's/);
  });
});
