import { copyFileSync, cpSync, rmSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { type GenerateRequest, generate, planFor, settingsFor } from "../../src/generate/index.js";
import { openPair, type PairReference, readFiles } from "../../src/open/index.js";
import { checkpointFolder, componentFolder } from "../support/checkpoint.js";
import { temporaryFolder } from "../support/folder.js";

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
      /the tokenizer of text_encoder_3 is missing/,
    );
    const own = path.join(temporaryFolder(), "t5");
    cpSync(componentFolder("t5-wide"), own, { recursive: true });
    copyFileSync(path.join(base, "tokenizer_3", "tokenizer.json"), path.join(own, "tokenizer.json"));
    const given = await latentsOf({ base: without, textEncoders: [own] }, {});
    expect(given).toEqual(await latentsOf({ base }, {}));
    expect(given).not.toEqual(await latentsOf({ base: without }, {}));
  });

  it("refuses syntaxes of weights, and a T5 of another width", async () => {
    await expect(latentsOf({ base }, { promptSyntax: "a1111" })).rejects.toThrow(/the text of this model is T5's/);
    await expect(readFiles({ base, textEncoders: [componentFolder("t5")] })).rejects.toThrow(
      /the denoiser expects 96 text features; its text encoders give 80/,
    );
  });
});
