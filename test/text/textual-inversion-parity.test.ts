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

const single = z.object({ pair: pairSchema, request: requestSchema, token: z.string() });
const several = z.object({ pair: pairSchema, request: requestSchema, tokens: z.array(z.string()) });

/** The final latents of the first picture. */
async function latentsOf(reference: PairReference, request: GenerateRequest): Promise<Float32Array> {
  const pair = await openPair(reference, { threads: 1 });
  try {
    for await (const event of generate(pair, request)) if (event.type === "image") return event.latents.data;
    throw new Error("no picture");
  } finally {
    await pair.close();
  }
}

/** A file of the tensors that a golden has under a prefix. */
async function written(golden: string, prefix = "file/"): Promise<string> {
  const recorded = await tensors(golden);
  const inFile = recorded.names.filter((n) => n.startsWith(prefix));
  const file = path.join(temporaryFolder(), "pip.safetensors");
  writeFileSync(file, safetensors(Object.fromEntries(inFile.map((n) => [n.slice(prefix.length), recorded.float(n)]))));
  return file;
}

describe("textual inversion", () => {
  it.each(namesIn("words"))("of one embedding, %s", async (name) => {
    const { pair, request, token } = description(`words/${name}`, single);
    const theirs = (await tensors(`words/${name}`)).float("latents").data;
    const file = await written(`words/${name}`);
    const base = pairReference(pair);
    const named = await latentsOf({ ...base, embeddings: [{ ref: file, token }] }, request);
    expect(farthest(named, theirs)).toBeLessThan(LATENTS);
    // Without a token given, the file's own name is the token.
    expect(farthest(await latentsOf({ ...base, embeddings: [{ ref: file }] }, request), theirs)).toBeLessThan(LATENTS);
    expect(farthest(await latentsOf(base, request), theirs)).toBeGreaterThan(10 * LATENTS);
  });

  it.each(namesIn("textual-inversion"))("of several, %s", async (name) => {
    const { pair, request, tokens } = description(`textual-inversion/${name}`, several);
    const theirs = (await tensors(`textual-inversion/${name}`)).float("latents").data;
    const embeddings = await Promise.all(
      tokens.map(async (token, i) => ({ ref: await written(`textual-inversion/${name}`, `${i}/`), token })),
    );
    const base = pairReference(pair);
    expect(farthest(await latentsOf({ ...base, embeddings }, request), theirs)).toBeLessThan(LATENTS);
    expect(farthest(await latentsOf(base, request), theirs)).toBeGreaterThan(10 * LATENTS);
  });

  it("is refused for a model of other text encoders", async () => {
    const ref = await written("words/sd1");
    const reading = openPair({ ...pairReference({ base: "sdxl" }), embeddings: [{ ref }] });
    await expect(reading).rejects.toThrow(RequestError);
  });
});
