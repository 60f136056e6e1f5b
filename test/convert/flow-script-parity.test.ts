import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { safetensors } from "../../src/checkpoint/index.js";
import { diffusersScript } from "../../src/convert/index.js";
import { type GenerateRequest, generate } from "../../src/generate/index.js";
import { openPair, type PairReference } from "../../src/open/index.js";
import { type FloatTensor, stack } from "../../src/tensor/index.js";
import { componentFolder, pairReference, pairSchema, requestSchema } from "../support/checkpoint.js";
import { temporaryFolder } from "../support/folder.js";
import { description, farthest, LATENTS, namesIn, tensors } from "../support/parity.js";

const addedSchema = z.object({
  lora: z.string().optional(),
  scale: z.number().optional(),
  on: z.enum(["both", "base", "distilled"]).optional(),
  distilledLora: z.string().optional(),
  name: z.string().optional(),
  decoder: z.string().optional(),
});
const schema = z.object({ pair: pairSchema, request: requestSchema, added: addedSchema.default({}) });
type Golden = z.output<typeof schema>;

/** A LoRA of a golden as a file with this name. */
async function loraFile(golden: string, name: string): Promise<string> {
  const all = await tensors(`adapters/${golden}`);
  const own = all.names.filter((key) => key.startsWith("file/"));
  const file = path.join(temporaryFolder(), `${name}.safetensors`);
  writeFileSync(file, safetensors(Object.fromEntries(own.map((key) => [key.slice("file/".length), all.float(key)]))));
  return file;
}

/** The pair and request of a golden, with its LoRA and decoder as files. */
async function opened({ pair, request, added }: Golden): Promise<[PairReference, GenerateRequest]> {
  const { lora, scale = 1, on = "both", distilledLora, name = "", decoder } = added;
  const reference = {
    ...pairReference(pair),
    ...(distilledLora && { distilled: await loraFile(distilledLora, name) }),
    ...(decoder && { decoder: componentFolder(decoder) }),
  };
  return [reference, { ...request, ...(lora && { adapters: [{ ref: await loraFile(lora, "style"), scale, on }] }) }];
}

describe("what the scripts for flow matching pipelines generate, run with diffusers", { timeout: 240_000 }, () => {
  it.each(namesIn("flow-scripts"))("%s", async (name) => {
    const [reference, request] = await opened(description(`flow-scripts/${name}`, schema));
    const pair = await openPair(reference, { threads: 1 });
    try {
      const latents: FloatTensor[] = [];
      const images: Uint8Array[] = [];
      for await (const event of generate(pair, request)) {
        if (event.type !== "image") continue;
        latents.push(event.latents);
        images.push(Uint8Array.from(event.image.data));
      }
      const recorded = await tensors(`flow-scripts/${name}`);
      const theirs = recorded.float("latents");
      expect(stack(latents).shape).toEqual(theirs.shape);
      expect(farthest(stack(latents).data, theirs.data)).toBeLessThan(LATENTS);
      if (!recorded.names.includes("images")) return;
      const bytes = recorded.bytes("images");
      const own = images.flatMap((image) => [...image]);
      expect(own.length).toBe(bytes.length);
      expect(Math.max(...own.map((value, i) => Math.abs(value - (bytes[i] ?? 0))))).toBeLessThanOrEqual(1);
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
      await expect(script({ switch: 1, baseGuidance: 4, guidance: 3 })).rejects.toThrow(/one guidance scale for all/);
      await expect(script({})).resolves.toContain('"distilled": Flux2Transformer2DModel.from_pretrained(');
    } finally {
      await pair.close();
    }
  });

  it("take true guidance of FLUX.1 in all steps or in none", async () => {
    const pair = await openPair(pairReference({ base: "flux1", distilled: { checkpoint: "flux1-fast" } }), {
      threads: 1,
    });
    try {
      const written = diffusersScript(pair, { prompts: ["x"], steps: 4, switch: 1, guidance: 2 });
      await expect(written).rejects.toThrow(/true guidance in all steps or in none/);
      const plain = await diffusersScript(pair, { prompts: ["x"], steps: 4, switch: 1 });
      expect(plain).toContain("Own(model, 512 if model.config.guidance_embeds else 256)");
      const short = await diffusersScript(pair, { prompts: ["x"], steps: 4, switch: 1, textTokens: 64 });
      expect(short).toContain("Own(model, 64 if model.config.guidance_embeds else 64)");
      const own = await diffusersScript(pair, { prompts: ["x"], mode: "base", steps: 2, textTokens: 64 });
      expect(own).toContain("max_sequence_length=64");
    } finally {
      await pair.close();
    }
  });
});
