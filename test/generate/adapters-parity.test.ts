import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { safetensors } from "../../src/checkpoint/index.js";
import { generate } from "../../src/generate/index.js";
import { openPair } from "../../src/open/index.js";
import { type FloatTensor, stack } from "../../src/tensor/index.js";
import { pairReference, pairSchema, requestSchema } from "../support/checkpoint.js";
import { temporaryFolder } from "../support/folder.js";
import { description, farthest, LATENTS, namesIn, tensors } from "../support/parity.js";

const schema = z.object({
  pair: pairSchema,
  request: requestSchema,
  scale: z.number(),
  metadata: z.record(z.string(), z.string()),
});

describe("adapters generate as diffusers, PEFT and the LyCORIS formulas do", { timeout: 240_000 }, () => {
  it.each(namesIn("adapters"))("%s", async (name) => {
    const golden = description(`adapters/${name}`, schema);
    const recorded = await tensors(`adapters/${name}`);
    const inFile = Object.fromEntries(
      recorded.names.filter((n) => n.startsWith("file/")).map((n) => [n.slice("file/".length), recorded.float(n)]),
    );
    const file = path.join(temporaryFolder(), "lora.safetensors");
    writeFileSync(file, safetensors(inFile, golden.metadata));
    const pair = await openPair(pairReference(golden.pair), { threads: 1 });
    try {
      const adapter = await pair.openAdapter(file);
      expect(adapter.unmatched).toEqual([]);
      const imagesOf = async (scale: number) => {
        const latents: FloatTensor[] = [];
        const adapters = [{ ref: file, scale }];
        for await (const event of generate(pair, { ...golden.request, adapters })) {
          if (event.type === "image") latents.push(event.latents);
        }
        return stack(latents).data;
      };
      const theirs = recorded.float("latents").data;
      expect(farthest(await imagesOf(golden.scale), theirs)).toBeLessThan(LATENTS);
      // An adapter that is off is not what they generated.
      expect(farthest(await imagesOf(0), theirs)).toBeGreaterThan(10 * LATENTS);
    } finally {
      await pair.close();
    }
  });
});
