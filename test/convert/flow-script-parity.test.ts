import { describe, expect, it } from "vitest";
import { z } from "zod";
import { diffusersScript } from "../../src/convert/index.js";
import { type GenerateRequest, generate } from "../../src/generate/index.js";
import { openPair } from "../../src/open/index.js";
import { type FloatTensor, stack } from "../../src/tensor/index.js";
import { pairReference, pairSchema, requestSchema } from "../support/checkpoint.js";
import { description, farthest, LATENTS, namesIn, tensors } from "../support/parity.js";

const schema = z.object({ pair: pairSchema, request: requestSchema });

describe("what the scripts for flow matching pipelines generate, run with diffusers", { timeout: 240_000 }, () => {
  it.each(namesIn("flow-scripts"))("%s", async (name) => {
    const golden = description(`flow-scripts/${name}`, schema);
    const pair = await openPair(pairReference(golden.pair), { threads: 1 });
    try {
      const latents: FloatTensor[] = [];
      for await (const event of generate(pair, golden.request)) {
        if (event.type === "image") latents.push(event.latents);
      }
      const theirs = (await tensors(`flow-scripts/${name}`)).float("latents");
      expect(stack(latents).shape).toEqual(theirs.shape);
      expect(farthest(stack(latents).data, theirs.data)).toBeLessThan(LATENTS);
    } finally {
      await pair.close();
    }
  });

  it("refuse what the pipeline has no place for", async () => {
    const pair = await openPair(pairReference({ base: "klein", distilled: { checkpoint: "klein-fast" } }), {
      threads: 1,
    });
    const script = (request: Partial<GenerateRequest>) =>
      diffusersScript(pair, { prompts: ["x"], steps: 4, ...request });
    try {
      await expect(script({ guidanceNormalization: 1, baseGuidance: 2 })).rejects.toThrow(/no cfg_normalization/);
      await expect(script({ switch: 1, guidance: 3 })).rejects.toThrow(/give --base-guidance/);
      await expect(script({ adapters: [{ ref: "smile.base" }] })).rejects.toThrow(/load no LoRAs/);
      await expect(script({})).resolves.toContain('"distilled": Flux2Transformer2DModel.from_pretrained(');
    } finally {
      await pair.close();
    }
  });
});
