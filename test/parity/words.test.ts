import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { safetensors } from "../../src/checkpoint/index.js";
import { RequestError } from "../../src/errors.js";
import { type GenerateRequest, generate } from "../../src/generate/index.js";
import { openPair, type PairReference } from "../../src/open/index.js";
import { pairReference, pairSchema, requestSchema } from "../support/checkpoint.js";
import { temporaryFolder } from "../support/folder.js";
import { description, farthest, LATENTS, namesIn, tensors } from "../support/parity.js";

const schema = z.object({ pair: pairSchema, request: requestSchema, token: z.string() });

async function paint(reference: PairReference, request: GenerateRequest): Promise<Float32Array> {
  const pair = await openPair(reference, { threads: 1 });
  try {
    for await (const event of generate(pair, request)) if (event.type === "image") return event.latents.data;
    throw new Error("no picture");
  } finally {
    await pair.close();
  }
}

async function written(name: string): Promise<string> {
  const recorded = await tensors(`words/${name}`);
  const inFile = recorded.names.filter((n) => n.startsWith("file/"));
  const file = path.join(temporaryFolder(), "pip.safetensors");
  writeFileSync(file, safetensors(Object.fromEntries(inFile.map((n) => [n.slice("file/".length), recorded.float(n)]))));
  return file;
}

describe("learned words are read as diffusers reads them", () => {
  it.each(namesIn("words"))("%s", async (name) => {
    const { pair, request, token } = description(`words/${name}`, schema);
    const theirs = (await tensors(`words/${name}`)).float("latents").data;
    const file = await written(name);
    const base = pairReference(pair);
    expect(farthest(await paint({ ...base, embeddings: [{ ref: file, token }] }, request), theirs)).toBeLessThan(
      LATENTS,
    );
    // The file's own name is the word where nothing else is said.
    expect(farthest(await paint({ ...base, embeddings: [{ ref: file }] }, request), theirs)).toBeLessThan(LATENTS);
    expect(farthest(await paint(base, request), theirs)).toBeGreaterThan(10 * LATENTS);
  });

  it("refuses a word of another model, saying which", async () => {
    const base = pairReference({ base: "sdxl" });
    const other = pairReference({ base: "sd1" });
    await expect(openPair({ ...base, embeddings: [{ ref: await written("sd1") }] })).rejects.toThrow(
      /learned for one text encoder; this model has 2/,
    );
    await expect(openPair({ ...base, embeddings: [{ ref: await written("sd1") }] })).rejects.toThrow(RequestError);
    const file = path.join(temporaryFolder(), "wide.safetensors");
    writeFileSync(file, safetensors({ "<wide>": { dtype: "float32", shape: [1, 7], data: new Float32Array(7) } }));
    await expect(openPair({ ...other, embeddings: [{ ref: file }] })).rejects.toThrow(
      /\[1, 7\]; text encoder 1 .* 32 numbers/,
    );
  });
});
