import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { diffusersScript } from "../../src/convert/index.js";
import { RequestError } from "../../src/errors.js";
import { type GenerateRequest, generate } from "../../src/generate/index.js";
import { openPair } from "../../src/open/index.js";
import { type FloatTensor, stack } from "../../src/tensor/index.js";
import { requestSchema } from "../support/checkpoint.js";
import { description, farthest, LATENTS, namesIn, tensors } from "../support/parity.js";

const schema = z.object({ request: requestSchema });

describe("what the scripts of `plan --as diffusers` generate, run with diffusers", async () => {
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

  it("refuses adapters and textual inversions", async () => {
    const adapters = [{ ref: "ink.safetensors" }];
    await expect(diffusersScript(pair, { prompts: ["x"], adapters })).rejects.toThrow(/LoRAs .*ink.safetensors/);
    const embeddings = [{ ref: "cat.pt" }];
    await expect(diffusersScript(pair, { prompts: ["x"] }, { embeddings })).rejects.toThrow(/cat.pt/);
  });
});
