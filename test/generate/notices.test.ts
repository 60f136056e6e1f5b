import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type GenerateEvent, type GenerateRequest, generate } from "../../src/generate/index.js";
import { type OpenedPair, openPair } from "../../src/open/index.js";

let pair: OpenedPair;
beforeAll(async () => {
  pair = await openPair({ pair: "embedded" });
});
afterAll(() => pair.close());

async function notices(request: Partial<GenerateRequest>): Promise<string[]> {
  const events: GenerateEvent[] = [];
  for await (const event of generate(pair, {
    prompts: ["a cartoon character"],
    size: { width: 64, height: 48 },
    ...request,
  })) {
    events.push(event);
  }
  return events.flatMap((event) => (event.type === "notice" ? event.text : []));
}

describe("notices of a request", () => {
  it("says that a negative prompt is not read without guidance", async () => {
    expect(await notices({ negative: "a hat" })).toEqual([expect.stringContaining("negative prompt has no effect")]);
  });

  it.each<[string, Partial<GenerateRequest>]>([
    ["--steps has no effect: --timesteps names the steps", { timesteps: [999, 499], steps: 4 }],
    [
      "--switch, --base-guidance have no effect: a run with --mode base has one model",
      { mode: "base", steps: 1, switch: 2, baseGuidance: 2 },
    ],
    ["--base-rows has no effect: a run with --mode distilled has one model", { mode: "distilled", switch: [0, 2] }],
    ["--base-guidance has no effect: the base runs no step of this plan", { switch: 0, baseGuidance: 2 }],
    ["--guidance has no effect: the base runs every step, with --base-guidance", { switch: 4, guidance: 3 }],
    ["--spacing has no effect: --timesteps names the steps", { spacing: "leading", timesteps: [999, 499] }],
    ["--eta has no effect: no scheduler of this plan reads it (DDIMScheduler and TCDScheduler do)", { eta: 0.5 }],
    ["--guidance-rescale has no effect: no step has a guidance scale above 1", { guidanceRescale: 0.7 }],
    [
      "the adapter embedded:sliders/smile.base.safetensors has no effect: the base model runs no step of this plan",
      { mode: "distilled", adapters: [{ ref: "embedded:sliders/smile.base.safetensors", on: "base" }] },
    ],
    [
      "1 of 2 samples has no effect: its prompt or seed is not among those of the request",
      {
        seeds: [3],
        samples: [
          { prompt: 0, seed: 3 },
          { prompt: 0, seed: 4 },
        ],
      },
    ],
  ])("says that %s", async (sentence, request) => {
    expect(await notices(request)).toEqual([sentence]);
  });

  it.each<[string, Partial<GenerateRequest>]>([
    [
      "a hybrid with every field of one",
      { switch: 2, baseGuidance: 3, baseScheduler: "DDIMScheduler", baseSteps: 8, baseSpacing: "leading" },
    ],
    ["a guided hybrid", { baseGuidance: 5, guidanceRescale: 0.7, negative: "a hat" }],
    [
      "DDIM with eta and a spacing",
      { mode: "base", steps: 2, scheduler: "DDIMScheduler", eta: 0.5, spacing: "trailing" },
    ],
    [
      "values that are the defaults",
      { mode: "distilled", timesteps: [999, 749, 499, 249], eta: 0, guidance: 0, guidanceRescale: 0 },
    ],
  ])("says nothing about %s", async (_, request) => {
    expect(await notices(request)).toEqual([]);
  });

  it("says that markup of other programs is text here", async () => {
    const prompts = ["a (cartoon:1.4) character <lora:smile:0.8> BREAK a [[hat]]", "a \\(red\\) hat, embedding:pip"];
    const said = (await notices({ prompts, mode: "base", steps: 1 })).filter((text) => text.includes("read as text"));
    expect(said).toEqual([
      "<lora:smile:0.8> is read as text here; a LoRA is named with --lora smile:0.8, or --prompt-syntax a1111",
      expect.stringMatching(/^\(cartoon:1\.4\), \\\(, \\\) are read as text here; weights.*a1111 or comfy/),
      expect.stringMatching(/^\[\[hat\]\] is read as text here.*a1111$/),
      expect.stringMatching(/^BREAK is read as text here.*a1111$/),
      expect.stringMatching(/^embedding:pip is read as text here.*comfy$/),
    ]);
  });

  it("says it only of the markup that the syntax does not read", async () => {
    const prompts = ["a (big:1.4) cat BREAK a hat"];
    const base = { prompts, mode: "base", steps: 1 } as const;
    expect(await notices({ ...base, promptSyntax: "a1111" })).toEqual([]);
    expect(await notices({ ...base, promptSyntax: "comfy" })).toEqual([
      expect.stringContaining("BREAK is read as text here"),
    ]);
  });

  it("says nothing where brackets are only brackets", async () => {
    const prompts = ["a cat (big) [round] (16:9) (a: hat)", "A CAT, BREAK A HAT", "a breakfast, embeddings: (small)"];
    const said = await notices({ prompts, mode: "base", steps: 1 });
    expect(said.filter((text) => text.includes("read as text"))).toEqual([]);
  });

  it("names the words that a small vocabulary does not have", async () => {
    expect(await notices({ prompts: ["a photograph of a cat in the rain"] })).toEqual([
      expect.stringMatching(/^"photograph", "of", "in", "the", "rain": words .* not trained on/),
    ]);
  });

  it("says nothing where a step is guided, or without a negative prompt", async () => {
    expect(await notices({ negative: "a hat", mode: "base", guidance: 5 })).toEqual([]);
    expect(await notices({})).toEqual([]);
  });
});

describe("a textual inversion that no prompt names", () => {
  it("is said to have no effect, and is not where a prompt or the negative prompt has its token", async () => {
    const own = await openPair({ embeddings: [{ ref: "embedded:adapters/pip.safetensors" }] });
    const said = async (request: Partial<GenerateRequest>) => {
      const asked = { prompts: ["a cartoon character"], mode: "distilled", steps: 1, ...request } as const;
      const events: GenerateEvent[] = [];
      for await (const event of generate(own, asked)) events.push(event);
      return events.flatMap((event) => (event.type === "notice" ? event.text : []));
    };
    const sentence = "the embedding pip has no effect: no prompt has its token (<pip>)";
    expect(await said({})).toEqual([sentence]);
    expect(await said({ prompts: ["a cartoon character", "a <pip> character"] })).toEqual([]);
    expect(await said({ negative: "<pip>", mode: "base", guidance: 2 })).toEqual([]);
    // A1111 names an embedding by its file, plain prompts do not.
    expect(await said({ prompts: ["a pip character"], promptSyntax: "a1111" })).toEqual([]);
    expect(await said({ prompts: ["a pip character"] })).toContain(sentence);
    await own.close();
  });
});
