import { copyFileSync, mkdirSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { type GenerateEvent, type GenerateRequest, generate } from "../../src/generate/index.js";
import { openPair, type PairReference, withPromptEmbeddings } from "../../src/open/index.js";
import { temporaryFolder } from "../support/folder.js";
import { EMBEDDED, farthest, LATENTS } from "../support/parity.js";

const PIP = `${EMBEDDED}adapters/pip.safetensors`;
const folder = path.join(temporaryFolder(), "programs");
const comfy: PairReference = { modelFolders: [{ kind: "comfy", path: path.join(folder, "comfy") }] };
const a1111: PairReference = { modelFolders: [{ kind: "a1111", path: path.join(folder, "a1111") }] };

beforeAll(() => {
  for (const place of ["comfy/models/embeddings/sub", "a1111/embeddings", "a1111/models/Lora"]) {
    mkdirSync(path.join(folder, place), { recursive: true });
  }
  copyFileSync(PIP, path.join(folder, "comfy/models/embeddings/sub/pip.safetensors"));
  copyFileSync(PIP, path.join(folder, "a1111/embeddings/Pip-2.safetensors"));
});

/** Names of the textual inversions that are added. */
const added = async (reference: PairReference, request: GenerateRequest): Promise<string[]> => {
  const { embeddings = [] } = await withPromptEmbeddings(reference, request);
  return embeddings.map(({ ref }) => path.basename(ref));
};

async function run(reference: PairReference, request: GenerateRequest): Promise<GenerateEvent[]> {
  const pair = await openPair(await withPromptEmbeddings(reference, request));
  try {
    const events: GenerateEvent[] = [];
    const options = { mode: "base", steps: 2, size: { width: 64, height: 48 } } as const;
    for await (const event of generate(pair, { ...options, ...request })) events.push(event);
    return events;
  } finally {
    await pair.close();
  }
}
const latents = async (...given: Parameters<typeof run>): Promise<Float32Array> =>
  (await run(...given)).flatMap((event) => (event.type === "image" ? [event.latents.data] : []))[0] ??
  new Float32Array();

describe("textual inversions of the model folders", () => {
  it("are added where a prompt names them in its syntax", async () => {
    const [named, word] = [
      { prompts: ["a cat, embedding:sub/pip, hat"] },
      { prompts: ["a cat"], negative: "(pip-2:1.2)" },
    ];
    expect(await added(comfy, { ...named, promptSyntax: "comfy" })).toEqual(["pip.safetensors"]);
    expect(await added(comfy, { ...named, promptSyntax: "a1111" })).toEqual(["pip.safetensors"]);
    expect(await added(comfy, named)).toEqual([]);
    expect(await added(a1111, { ...word, promptSyntax: "a1111" })).toEqual(["Pip-2.safetensors"]);
    expect(await added(a1111, { ...word, promptSyntax: "comfy" })).toEqual([]);
    expect(await added(a1111, { prompts: ["a pip-20"], promptSyntax: "a1111" })).toEqual([]);
  });

  it("have the embeddings of the file", async () => {
    const embeddings = [{ ref: PIP, token: "<p>" }];
    const expected = await latents({ embeddings }, { prompts: ["a cat wearing <p>"] });
    const byName = await latents(comfy, { prompts: ["a cat wearing embedding:sub/pip"], promptSyntax: "comfy" });
    const byWord = await latents(a1111, { prompts: ["a cat wearing pip-2"], promptSyntax: "a1111" });
    expect(farthest(byName, expected)).toBeLessThan(LATENTS);
    expect(farthest(byWord, expected)).toBeLessThan(LATENTS);
    expect(farthest(await latents(comfy, { prompts: ["a cat wearing"] }), expected)).toBeGreaterThan(10 * LATENTS);
  });

  it("are no unknown words", async () => {
    const events = await run(a1111, { prompts: ["a cat wearing Pip-2"], promptSyntax: "a1111" });
    expect(events.filter(({ type }) => type === "notice")).toEqual([]);
  });
});
