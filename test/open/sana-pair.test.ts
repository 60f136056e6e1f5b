import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { readFloats, safetensors } from "../../src/checkpoint/index.js";
import { openComponentWeights } from "../../src/checkpoint/node/index.js";
import { diffusersScript } from "../../src/convert/index.js";
import { FAMILIES, otherLayers } from "../../src/families/index.js";
import { type GenerateRequest, generate, planFor, settingsFor } from "../../src/generate/index.js";
import { openPair, type PairReference, readFiles } from "../../src/open/index.js";
import { type FloatTensor, float } from "../../src/tensor/index.js";
import { checkpointFolder, componentFolder, componentGolden, stemOf } from "../support/checkpoint.js";
import { temporaryFolder } from "../support/folder.js";
import { farthest } from "../support/parity.js";

const base = checkpointFolder("sana");
const sprint = checkpointFolder("sana-sprint");

/** Latents and pixels of one image. */
async function imageOf(reference: PairReference, request: Partial<GenerateRequest>) {
  const pair = await openPair(reference, { threads: 1 });
  try {
    const whole = { prompts: ["a hat"], size: { width: 64, height: 32 }, ...request };
    for await (const e of generate(pair, whole)) if (e.type === "image") return e;
    throw new Error("no picture");
  } finally {
    await pair.close();
  }
}
const latentsOf = async (...call: Parameters<typeof imageOf>) => (await imageOf(...call)).latents.data;

/** Sprint's transformer in one file with NVIDIA's names, where rows are fused. */
async function fileOfSprint(): Promise<string> {
  const { weights } = await openComponentWeights(
    componentFolder("sana-sprint"),
    stemOf(componentGolden("sana-sprint")),
  );
  const names = [...weights.keys()].map((name) => name.replace(/\.(weight|bias)$/, ""));
  const others = otherLayers(FAMILIES.sana.denoiser.transformer?.names ?? [], names);
  const parts = new Map<string, FloatTensor[]>();
  for (const [name, weight] of weights) {
    const [, layer = name, end = ""] = /^(.*)(\.(?:weight|bias))$/.exec(name) ?? [];
    const other = others.get(layer);
    const key = `${other?.name ?? layer}${end}`;
    const own = parts.get(key) ?? [];
    own[other?.share?.[0] ?? 0] = float(weight.shape, await readFloats(weight));
    parts.set(key, own);
  }
  const joined = [...parts].map(([key, some]) => {
    const [first] = some;
    const rows = some.reduce((n, { shape }) => n + (shape[0] ?? 1), 0);
    const data = Float32Array.from(some.flatMap(({ data: values }) => [...values]));
    return [key, float([rows, ...(first?.shape.slice(1) ?? [])], data)] as const;
  });
  const file = path.join(temporaryFolder(), "sana_sprint.safetensors");
  writeFileSync(file, safetensors(Object.fromEntries(joined)));
  return file;
}

describe("SANA", { timeout: 240_000 }, () => {
  it("gives the base steps with guidance, and Sprint two with its scale as an input", async () => {
    const settings = settingsFor(await readFiles({ base, distilled: sprint }), {});
    expect(settings.base).toMatchObject({ guidance: { value: 0 } });
    expect(settings.distilled).toMatchObject({ steps: { value: 2 }, guidance: { value: 4.5 } });
    expect(settings.switch).toEqual({ value: 1, from: "default" });
    expect(settingsFor(await readFiles({ base }), {}).base).toMatchObject({
      steps: { value: 20 },
      guidance: { value: 4.5 },
    });
    expect(settingsFor(await readFiles({ base: sprint }), {}).base).toMatchObject({
      steps: { value: 2 },
      guidance: { value: 4.5 },
    });
  });

  it("ends the base's own schedule at the level of the hand-off, without a row of noise", async () => {
    const pair = await readFiles({ base, distilled: sprint });
    const { rows } = planFor(pair, { baseSteps: 20 });
    expect(rows.every(({ kind }) => kind === "step")).toBe(true);
    expect(rows.at(-2)?.to.sigma).toBe(rows.at(-1)?.from.sigma);
    expect(rows.at(-1)?.from.sigma).toBeCloseTo(0.7827, 4);
  });

  it("takes Sprint from a file with NVIDIA's names", async () => {
    const request = { mode: "distilled" as const, scheduler: "SCM", steps: 2, guidance: 3 };
    const expected = await latentsOf({ base, distilled: componentFolder("sana-sprint") }, request);
    const actual = await latentsOf({ base, distilled: await fileOfSprint() }, request);
    expect(farthest(expected, actual)).toBeLessThan(1e-5);
    expect(farthest(expected, await latentsOf({ base }, { steps: 2, guidance: 0 }))).toBeGreaterThan(1e-2);
  });

  it("reads LoRAs in diffusers' names on both models, and refuses one on a depthwise convolution", async () => {
    const wave = (n: number, by: number) => Float32Array.from({ length: n }, (_, i) => Math.sin(by * (i + 1)));
    const write = (name: string, layer: string, down: FloatTensor, up: FloatTensor) => {
      const file = path.join(temporaryFolder(), name);
      const keys = { [`${layer}.lora_A.weight`]: down, [`${layer}.lora_B.weight`]: up };
      writeFileSync(file, safetensors(keys));
      return file;
    };
    const place = "transformer.transformer_blocks.1";
    const [down, up] = [float([2, 32], wave(64, 1.3)), float([32, 2], wave(64, 0.7))];
    const attention = write("attention.safetensors", `${place}.attn1.to_q`, down, up);
    const pointwise = write(
      "pointwise.safetensors",
      `${place}.ff.conv_point`,
      float([2, 80, 1, 1], wave(160, 1.1)),
      float([32, 2, 1, 1], wave(64, 0.7)),
    );
    const request = { mode: "hybrid" as const };
    const plain = await latentsOf({ base, distilled: sprint }, request);
    for (const ref of [attention, pointwise]) {
      const changed = await latentsOf({ base, distilled: sprint, adapters: [{ ref }] }, request);
      expect(farthest(plain, changed)).toBeGreaterThan(1e-3);
    }
    const depthwise = write(
      "depthwise.safetensors",
      `${place}.ff.conv_depth`,
      float([2, 1, 3, 3], wave(18, 1.1)),
      float([160, 2, 1, 1], wave(320, 0.7)),
    );
    await expect(latentsOf({ base, distilled: sprint, adapters: [{ ref: depthwise }] }, request)).rejects.toThrow(
      /a convolution of 160 groups, which takes no adapters/,
    );
  });

  it("decodes in tiles as in one piece", async () => {
    const request = { steps: 1, guidance: 0, size: { width: 96, height: 64 } };
    const whole = await imageOf({ base }, { ...request, tile: "off" });
    const tiled = await imageOf({ base }, { ...request, tile: 7 });
    expect(farthest(Float32Array.from(tiled.image.data), Float32Array.from(whole.image.data))).toBeLessThan(0.02);
  });

  it("refuses sizes that are no multiples, other syntaxes, and scripts with another decoder", async () => {
    await expect(latentsOf({ base }, { size: { width: 66, height: 32 } })).rejects.toThrow(/66/);
    const files = await readFiles({ base, distilled: sprint });
    const asked = diffusersScript(files, { prompts: ["a hat"] }, { decoder: "taef1" });
    await expect(asked).rejects.toThrow(/scripts for SANA have the base's decoder/);
    await expect(latentsOf({ base }, { promptSyntax: "a1111" })).rejects.toThrow(/the text of this model is Gemma's/);
  });
});
