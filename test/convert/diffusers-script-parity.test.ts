import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { diffusersScript } from "../../src/convert/index.js";
import { RequestError } from "../../src/errors.js";
import { generate } from "../../src/generate/index.js";
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

  it("refuses prompts with markup", () => {
    expect(() => diffusersScript(pair, { prompts: ["a (red:1.3) hat"], promptSyntax: "a1111" })).toThrow(/a1111/);
    expect(() => diffusersScript(pair, { prompts: ["a (red:1.3) hat"], promptSyntax: "plain" })).not.toThrow();
  });

  it("refuses what no scheduler of diffusers takes", () => {
    expect(() => diffusersScript(pair, { prompts: ["x"], prediction: "sample", scheduler: "DDIMScheduler" })).toThrow(
      RequestError,
    );
    const unipc = { prompts: ["x"], scheduler: "UniPC", sigmas: "sgm_uniform", timesteps: [999, 499] } as const;
    expect(() => diffusersScript(pair, unipc)).toThrow(/UniPCMultistepScheduler takes no list of timesteps/);
    const lms = { prompts: ["x"], mode: "base", scheduler: "LMS", sigmas: "sgm_uniform", skip: 1 } as const;
    expect(() => diffusersScript(pair, lms)).toThrow(/cannot start midway/);
  });
});
