import { afterAll, describe, expect, it } from "vitest";
import { RequestError } from "../../src/errors.js";
import { type GenerateRequest, generate } from "../../src/generate/index.js";
import { openPair } from "../../src/open/index.js";
import { METHOD_NAMES, METHODS, settledMethods } from "../../src/sampling/index.js";

const pair = await openPair({}, { threads: 1 });
afterAll(() => pair.close());

type Asked = Omit<GenerateRequest, "prompts">;
const PROMPTS = ["a cartoon character", "a cartoon character wearing a crown"];
/** A row by each model, with guidance. */
const usual: Asked = { seeds: [1, 2, 3], size: { width: 64, height: 48 }, steps: 2, guidance: 2, baseGuidance: 2 };

/** Final latents by prompt and seed. */
async function latents(asked: Asked, prompts = PROMPTS.slice(0, 1)): Promise<Map<string, Float32Array>> {
  const found = new Map<string, Float32Array>();
  for await (const event of generate(pair, { prompts, ...usual, ...asked })) {
    if (event.type === "image") found.set(`${event.prompt}-${event.seed}`, event.latents.data);
  }
  return found;
}

const farthest = (a: Float32Array = new Float32Array(1), b: Float32Array = new Float32Array(1)) =>
  a.reduce((w, v, i) => Math.max(w, Math.abs(v - (b[i] ?? Number.NaN))), 0);

describe("a run with a diversity method", { timeout: 120_000 }, async () => {
  const plain = await latents({});

  // test/sampling/diversity.test.ts holds that the plan is the plain one.
  it.each(METHOD_NAMES)("%s that is off gives the plain images, bit by bit", async (name) => {
    const off = await latents({ diversity: [METHODS[name].off] });
    expect([...off.keys()]).toEqual(["0-1", "0-2", "0-3"]);
    for (const [key, data] of off) expect(data).toEqual(plain.get(key));
  });

  it.each(METHOD_NAMES)("%s changes images, the same ways in other batches and beside other prompts", async (name) => {
    const diversity = settledMethods([{ method: name }]);
    const changed = await latents({ diversity });
    expect([...changed].some(([key, data]) => farthest(data, plain.get(key)) > 1e-2)).toBe(true);
    const beside = await latents({ diversity, batch: 2, offload: "sequential" }, PROMPTS);
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
