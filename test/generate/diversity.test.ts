import { afterAll, describe, expect, it } from "vitest";
import { RequestError } from "../../src/errors.js";
import { type GenerateRequest, generate } from "../../src/generate/index.js";
import { openPair } from "../../src/open/index.js";
import { METHOD_NAMES, METHODS, type MethodName, settledMethods } from "../../src/sampling/index.js";

const pair = await openPair({}, { threads: 1 });
const loraPair = await openPair({ pair: "embedded-lora" }, { threads: 1 });
afterAll(async () => {
  await pair.close();
  await loraPair.close();
});
/** The pair to run a method on. */
const pairFor = (name: MethodName) => (METHODS[name].needs.includes("lora") ? loraPair : pair);

type Asked = Omit<GenerateRequest, "prompts">;
const PROMPTS = ["a cartoon character", "a cartoon character wearing a crown"];
/** A row by each model, with guidance. */
const usual: Asked = { seeds: [1, 2, 3], size: { width: 64, height: 48 }, steps: 2, guidance: 2, baseGuidance: 2 };

/** Final latents by prompt and seed. */
async function latents(asked: Asked, prompts = PROMPTS.slice(0, 1), on = pair): Promise<Map<string, Float32Array>> {
  const found = new Map<string, Float32Array>();
  for await (const event of generate(on, { prompts, ...usual, ...asked })) {
    if (event.type === "image") found.set(`${event.prompt}-${event.seed}`, event.latents.data);
  }
  return found;
}

const farthest = (a: Float32Array = new Float32Array(1), b: Float32Array = new Float32Array(1)) =>
  a.reduce((w, v, i) => Math.max(w, Math.abs(v - (b[i] ?? Number.NaN))), 0);

describe("a run with a diversity method", { timeout: 240_000 }, () => {
  const plains = new Map([pair, loraPair].map((each) => [each, latents({}, undefined, each)]));

  // test/sampling/diversity.test.ts holds that the plan is the plain one.
  it.each(METHOD_NAMES)("%s that is off gives the plain images, bit by bit", async (name) => {
    const plain = (await plains.get(pairFor(name))) ?? new Map<string, Float32Array>();
    const off = await latents({ diversity: [METHODS[name].off] }, undefined, pairFor(name));
    expect([...off.keys()]).toEqual(["0-1", "0-2", "0-3"]);
    for (const [key, data] of off) expect(data).toEqual(plain.get(key));
  });

  it.each(METHOD_NAMES)("%s changes images, the same ways in other batches and beside other prompts", async (name) => {
    const diversity = settledMethods([{ method: name }]);
    const plain = (await plains.get(pairFor(name))) ?? new Map<string, Float32Array>();
    const changed = await latents({ diversity }, undefined, pairFor(name));
    expect([...changed].some(([key, data]) => farthest(data, plain.get(key)) > 1e-2)).toBe(true);
    const beside = await latents({ diversity, batch: 2, offload: "sequential" }, PROMPTS, pairFor(name));
    expect(beside.size).toBe(6);
    for (const [key, data] of changed) expect(farthest(data, beside.get(key))).toBeLessThan(1e-3);
  });
});

it("is checked before anything is loaded", async () => {
  const misspelt = latents(JSON.parse('{"diversity":[{"method":"cdas"}]}'));
  await expect(misspelt).rejects.toBeInstanceOf(RequestError);
  await expect(misspelt).rejects.toThrow(/cads/);
  await expect(latents(JSON.parse('{"diversity":[{"method":"cads","taus":1}]}'))).rejects.toThrow(
    /taus.*cads has scale, tau1/,
  );
  await expect(latents({ diversity: [{ method: "cads", scale: -1 }] })).rejects.toThrow(/-1.*from 0 to 10/);
});

it("contrastive noise is refused in int8, which has no gradient", async () => {
  const int8 = await openPair({ compute: "int8" }, { threads: 1 });
  const asked = { prompts: PROMPTS, ...usual, diversity: settledMethods([{ method: "contrastive-noise" }]) };
  await expect(generate(int8, asked).next()).rejects.toThrow(/needs gradients.*float32, not in int8/);
  await int8.close();
});

it.each<[string, typeof pair, Asked]>([
  ["of a network alone", pair, {}],
  [
    "of a network with a LoRA and a slider, with guidance",
    loraPair,
    { guidance: 2, adapters: [{ ref: "smile.base", scale: 1 }] },
  ],
])("contrastive noise moves the first predictions %s apart", { timeout: 120_000 }, async (_, on, given) => {
  const apart = async (iterations: number): Promise<number> => {
    const first: Float32Array[] = [];
    const diversity = settledMethods([{ method: "contrastive-noise", iterations }]);
    const request = { prompts: PROMPTS.slice(0, 1), ...usual, guidance: 1, mode: "distilled" as const, ...given };
    for await (const event of generate(on, { ...request, diversity })) {
      if (event.type === "step" && event.step === 0) first.push(Float32Array.from(event.x0.data));
    }
    const distances = first.flatMap((a, i) =>
      first.slice(0, i).map((b) => Math.hypot(...a.map((v, k) => v - (b[k] ?? 0)))),
    );
    return Math.min(...distances);
  };
  const [plain, few, more] = [await apart(0), await apart(1), await apart(6)];
  expect(few).toBeGreaterThan(plain);
  expect(more).toBeGreaterThan(few);
});
