import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { safetensors } from "../../src/checkpoint/index.js";
import { type GenerateRequest, generate } from "../../src/generate/index.js";
import { type OpenedPair, openPair } from "../../src/open/index.js";
import { float } from "../../src/tensor/index.js";
import { temporaryFolder } from "../support/folder.js";
import { EMBEDDED, farthest, LATENTS } from "../support/parity.js";

let pair: OpenedPair;
beforeAll(async () => {
  pair = await openPair({ pair: "embedded" });
});
afterAll(() => pair.close());

const SIZE = { width: 64, height: 48 };

/** Final latents of all images, by prompt. */
async function latents(request: GenerateRequest, of = pair): Promise<Float32Array[]> {
  const found: Float32Array[] = [];
  for await (const event of generate(of, { size: SIZE, ...request })) {
    if (event.type === "image") found[event.prompt] = event.latents.data;
  }
  return found;
}
const one = async (request: Omit<GenerateRequest, "prompts">, prompt: string, of = pair): Promise<Float32Array> =>
  (await latents({ prompts: [prompt], ...request }, of))[0] ?? new Float32Array();

const guided = { mode: "base", steps: 3, guidance: 5, negative: "a hat" } as const;
const LONG =
  "a cartoon character with two big round blue eyes, a purple party hat, three small horns, antennae, white ears, a teal hat";

describe("prompts longer than a text encoder's input", () => {
  it.each(["a1111", "comfy"] as const)("are read to the end with %s", async (promptSyntax) => {
    const cut = await one({ ...guided, promptSyntax: "plain" }, `${LONG}, ${LONG}, smiling`);
    const end = await one({ ...guided, promptSyntax: "plain" }, `${LONG}, ${LONG}, sad`);
    expect(farthest(end, cut)).toBe(0);
    const smiling = await one({ ...guided, promptSyntax }, `${LONG}, ${LONG}, smiling`);
    const sad = await one({ ...guided, promptSyntax }, `${LONG}, ${LONG}, sad`);
    expect(farthest(sad, smiling)).toBeGreaterThan(10 * LATENTS);
  });

  it("give the same image beside prompts of other lengths", async () => {
    const prompts = ["a cat", LONG, `${LONG}, ${LONG}`, "a hat"];
    const together = await latents({ ...guided, prompts, promptSyntax: "a1111" });
    const sequential = await latents({ ...guided, prompts, promptSyntax: "a1111", offload: "sequential" });
    for (const [i, prompt] of prompts.entries()) {
      const alone = await one({ ...guided, promptSyntax: "a1111" }, prompt);
      for (const run of [together, sequential])
        expect(farthest(run[i] ?? new Float32Array(), alone)).toBeLessThan(LATENTS);
    }
  });

  it("may have a negative prompt of another length", async () => {
    const short = await one({ ...guided, promptSyntax: "comfy", negative: "a cat" }, "a red hat");
    const long = await one({ ...guided, promptSyntax: "comfy", negative: `${LONG}, a cat` }, "a red hat");
    expect(farthest(long, short)).toBeGreaterThan(10 * LATENTS);
  });
});

describe("weights", () => {
  it("of 1 change nothing, others do", async () => {
    const plain = await one(guided, "a red hat");
    for (const promptSyntax of ["a1111", "comfy"] as const) {
      expect(farthest(await one({ ...guided, promptSyntax }, "a (red:1) hat"), plain)).toBeLessThan(LATENTS);
      expect(farthest(await one({ ...guided, promptSyntax }, "a (red:1.5) hat"), plain)).toBeGreaterThan(10 * LATENTS);
    }
  });

  it("are refused where the syntax does not have them", async () => {
    await expect(one({ promptSyntax: "a1111" }, "a [cat:hat:0.5]")).rejects.toMatchObject({ field: "prompts" });
    await expect(one({ promptSyntax: "comfy" }, "embedding:nothing")).rejects.toThrow(/embedding:nothing/);
    await expect(one({ promptSyntax: "a1111", negative: "<lora:x:1>" }, "a")).rejects.toMatchObject({
      field: "negative",
    });
  });
});

describe("a LoRA in a prompt", () => {
  const a1111 = { mode: "base", steps: 2, promptSyntax: "a1111" } as const;
  const smile = { ref: `${EMBEDDED}sliders/smile.base.safetensors` };

  it("is the one that --lora gives, for this prompt alone", async () => {
    const prompts = ["a red hat <lora:smile.base:1.5>", "a red hat", "a red hat<lora:smile.base:te=0:unet=-1>"];
    const [more, none, less] = await latents({ ...a1111, prompts });
    const expected = async (scale: number) => one({ ...a1111, adapters: [{ ...smile, scale }] }, "a red hat");
    expect(farthest(more ?? new Float32Array(), await expected(1.5))).toBeLessThan(LATENTS);
    expect(farthest(less ?? new Float32Array(), await expected(-1))).toBeLessThan(LATENTS);
    expect(farthest(none ?? new Float32Array(), await one(a1111, "a red hat"))).toBeLessThan(LATENTS);
    expect(farthest(more ?? new Float32Array(), none ?? new Float32Array())).toBeGreaterThan(10 * LATENTS);
  });

  it("has a scale for text encoders and one for the denoiser", async () => {
    const folder = path.join(temporaryFolder(), "a1111");
    mkdirSync(path.join(folder, "models/Lora"), { recursive: true });
    const both: Record<string, ReturnType<typeof float>> = {};
    const layers = [
      ["lora_te1_text_model_encoder_layers_0_self_attn_q_proj", 64],
      ["lora_unet_mid_block_attentions_0_proj_in", 0],
    ] as const;
    for (const [layer, given] of layers) {
      const weights = (await pair.base.weights()).weights;
      const width = given || (weights.get("mid_block.attentions.0.proj_in.weight")?.shape[0] ?? 0);
      both[`${layer}.lora_down.weight`] = float([1, width], new Float32Array(width).fill(0.3));
      both[`${layer}.lora_up.weight`] = float(
        [width, 1],
        Float32Array.from({ length: width }, (_, i) => Math.sin(i)),
      );
    }
    const write = (name: string, prefix: string) => {
      const some = Object.fromEntries(Object.entries(both).filter(([key]) => key.startsWith(prefix)));
      writeFileSync(path.join(folder, "models/Lora", `${name}.safetensors`), safetensors(some));
    };
    write("both", "lora_");
    write("text", "lora_te");
    write("denoiser", "lora_unet");
    const own = await openPair({ pair: "embedded", modelFolders: [{ kind: "a1111", path: folder }] });
    try {
      const split = await one(a1111, "a red hat <lora:both:0.5:2>", own);
      const parts = await one(a1111, "a red hat <lora:text:0.5> <lora:denoiser:2>", own);
      expect(farthest(split, parts)).toBeLessThan(LATENTS);
      expect(farthest(await one(a1111, "a red hat <lora:both:2:0.5>", own), parts)).toBeGreaterThan(10 * LATENTS);
    } finally {
      await own.close();
    }
  });

  it("is no path and no Hub id", async () => {
    const file = path.join(temporaryFolder(), "smile.safetensors");
    copyFileSync(smile.ref, file);
    for (const name of [file, smile.ref, "owner/name", "embedded", "nothing"]) {
      await expect(one(a1111, `a <lora:${name}:1>`)).rejects.toThrow(`<lora:${name}>`);
    }
  });
});
