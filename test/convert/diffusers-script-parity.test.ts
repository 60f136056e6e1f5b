import { cpSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { safetensors } from "../../src/checkpoint/index.js";
import { diffusersScript } from "../../src/convert/index.js";
import { RequestError } from "../../src/errors.js";
import { type GenerateRequest, generate } from "../../src/generate/index.js";
import { openPair } from "../../src/open/index.js";
import { type FloatTensor, float, stack } from "../../src/tensor/index.js";
import { requestSchema } from "../support/checkpoint.js";
import { temporaryFolder } from "../support/folder.js";
import { description, EMBEDDED, farthest, LATENTS, namesIn, tensors } from "../support/parity.js";

const schema = z.object({ request: requestSchema });

describe("what the scripts of `plan --as diffusers` generate, run with diffusers", { timeout: 240_000 }, async () => {
  const pair = await openPair({}, { threads: 1 });
  afterAll(() => pair.close());

  it.each(namesIn("scripts"))("%s", async (name) => {
    const { request } = description(`scripts/${name}`, schema);
    const latents: FloatTensor[] = [];
    for await (const event of generate(pair, request)) if (event.type === "image") latents.push(event.latents);
    const theirs = (await tensors(`scripts/${name}`)).float("latents");
    expect(stack(latents).shape).toEqual(theirs.shape);
    expect(farthest(stack(latents).data, theirs.data)).toBeLessThan(LATENTS);
  });

  it("refuses prompts with markup", async () => {
    const prompts = ["a (red:1.3) hat"];
    await expect(diffusersScript(pair, { prompts, promptSyntax: "a1111" })).rejects.toThrow(/a1111/);
    await expect(diffusersScript(pair, { prompts, promptSyntax: "plain" })).resolves.toContain("a (red:1.3) hat");
  });

  it("refuses what no scheduler of diffusers takes", async () => {
    const asked = (request: Partial<GenerateRequest>) => diffusersScript(pair, { prompts: ["x"], ...request });
    await expect(asked({ prediction: "sample", scheduler: "DDIMScheduler" })).rejects.toThrow(RequestError);
    await expect(asked({ scheduler: "UniPC", sigmas: "sgm_uniform", timesteps: [999, 499] })).rejects.toThrow(
      /UniPCMultistepScheduler takes no list of timesteps/,
    );
    await expect(asked({ mode: "base", scheduler: "LMS", sigmas: "sgm_uniform", skip: 1 })).rejects.toThrow(
      /cannot start midway/,
    );
  });

  it("refuses diversity methods that act within a step, and names those that do not", async () => {
    const asked = diffusersScript(pair, { prompts: ["x"], diversity: [{ method: "cads" }] });
    await expect(asked).rejects.toThrow(
      /only diversity methods that set guidance scales \(interval, late-guidance\).*leave --diversity cads out/,
    );
  });

  it("refuses LoRAs that diffusers does not load, and scales that it has no place for", async () => {
    const script = (ref: string, scale: number | string = 1) =>
      diffusersScript(pair, { prompts: ["x"], adapters: [{ ref, scale }] });
    const loha = path.join(temporaryFolder(), "loha.safetensors");
    const factors = { hada_w1_a: [8, 2], hada_w1_b: [2, 8], hada_w2_a: [8, 2], hada_w2_b: [2, 8] } as const;
    const tensors = Object.entries(factors).map(([role, shape]) => [
      `lora_unet_mid_block_attentions_0_proj_in.${role}`,
      float(shape),
    ]);
    writeFileSync(loha, safetensors(Object.fromEntries(tensors)));
    await expect(script(loha)).rejects.toThrow(/layers of kind LoHa, which diffusers does not load/);
    await expect(script("smile.base", "0@0-1,1@2-3")).rejects.toThrow(/one scale for a LoRA, and smile\.base/);
    await expect(script("smile.base", "down=0,up=1")).rejects.toThrow(/one scale/);
    await expect(script("nowhere.safetensors")).rejects.toThrow(/no such file/);
    const folder = temporaryFolder();
    cpSync(path.join(EMBEDDED, "sliders/smile.base.safetensors"), path.join(folder, "adapter_model.safetensors"));
    await expect(script(folder)).rejects.toThrow(/is a folder; variegate adapter convert/);
  });
});
