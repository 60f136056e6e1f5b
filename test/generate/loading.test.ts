import { writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { safetensors } from "../../src/checkpoint/index.js";
import { NonFiniteError } from "../../src/errors.js";
import { type GenerateEvent, type GenerateRequest, generate } from "../../src/generate/index.js";
import { openPair } from "../../src/open/index.js";
import { float } from "../../src/tensor/index.js";
import { temporaryFolder } from "../support/folder.js";

const pair = await openPair({}, { threads: 1 });
const networks = { base: pair.base.network, distilled: pair.distilled?.network, decoder: pair.decoder.network };
afterEach(async () => {
  for (const network of Object.values(networks)) await network?.release();
});
afterAll(() => pair.close());

const SHAPE = { height: 16, width: 16, tokens: pair.text.tokens };

async function run(asked: Partial<GenerateRequest>, signal?: AbortSignal, on = pair): Promise<GenerateEvent[]> {
  const events: GenerateEvent[] = [];
  const request = { prompts: ["a cartoon character"], mode: "distilled", ...asked } as const;
  for await (const event of generate(on, request, signal)) events.push(event);
  return events;
}
const loaded = (events: readonly GenerateEvent[]) => events.flatMap((e) => (e.type === "loaded" ? [e.network] : []));

describe("what is loaded", { timeout: 240_000 }, () => {
  it("two sizes in turn keep a session each, and a third", async () => {
    const sizes = [
      { width: 64, height: 64 },
      { width: 96, height: 64 },
      { width: 64, height: 48 },
    ];
    for (const size of sizes) expect(loaded(await run({ size }))).toEqual(["distilled", "decoder"]);
    for (const size of sizes) expect(loaded(await run({ size }))).toEqual([]);
  });

  it("without memory to spare, only the last size of each network stays", async () => {
    const tight = await openPair({}, { threads: 1, memoryBudget: 1 });
    try {
      const [small, wide] = [
        { width: 64, height: 64 },
        { width: 96, height: 64 },
      ];
      const loads = async (size: typeof small) =>
        loaded(await run({ offload: "none", size }, undefined, tight)).includes("distilled");
      const seen = [await loads(small), await loads(small), await loads(wide), await loads(small)];
      expect(seen).toEqual([true, false, true, true]);
    } finally {
      await tight.close();
    }
  });

  it("nothing after a sequential run that was aborted in the middle of a phase", async () => {
    const stop = new AbortController();
    const going = (async () => {
      const request = { prompts: ["x"], mode: "hybrid", switch: 2, offload: "sequential" } as const;
      for await (const event of generate(pair, request, stop.signal)) if (event.type === "step") stop.abort();
    })();
    await expect(going).rejects.toMatchObject({ name: "AbortError" });
    for (const network of [networks.base, networks.distilled]) expect(await network?.load(SHAPE)).toBeGreaterThan(0);
  });

  it("nothing after a reader left a sequential run early", async () => {
    for await (const event of generate(pair, { prompts: ["x"], mode: "distilled", offload: "sequential" })) {
      if (event.type === "step") break;
    }
    expect(await networks.distilled?.load(SHAPE)).toBeGreaterThan(0);
  });

  it("each prompt is encoded once, whatever the number of seeds and of models that read the same text", async () => {
    const encoded: string[] = [];
    const text: typeof pair.text = {
      ...pair.text,
      encode(prompt, ...rest) {
        encoded.push(prompt);
        return pair.text.encode(prompt, ...rest);
      },
    };
    const prompts = ["a red cartoon character", "a blue cartoon character"];
    await run({ prompts, seeds: [1, 2, 3], mode: "hybrid" }, undefined, { ...pair, text });
    expect(encoded).toEqual(prompts);
  });
});

describe("numbers that are none", { timeout: 240_000 }, () => {
  it("are an error that names the network and the row, not a black image", async () => {
    const { weights } = await pair.base.weights();
    const shape = weights.get("conv_out.bias")?.shape ?? [];
    const file = path.join(temporaryFolder(), "overflow.safetensors");
    const huge = float(shape, new Float32Array(shape[0] ?? 0).fill(3e38));
    writeFileSync(file, safetensors({ "lora_unet_conv_out.diff_b": huge }));
    const failure = await run({ adapters: [{ ref: file, scale: 2 }] }).catch((e: unknown) => e);
    expect(failure).toBeInstanceOf(NonFiniteError);
    expect(failure).toMatchObject({ network: "the distilled denoiser", at: "row 0 (timestep 999)", tensor: null });
  });
});
