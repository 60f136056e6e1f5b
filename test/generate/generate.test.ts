import { afterAll, describe, expect, it } from "vitest";
import { RequestError } from "../../src/errors.js";
import { type GenerateEvent, type GenerateRequest, generate } from "../../src/generate/index.js";
import { openPair } from "../../src/open/index.js";

const pair = await openPair({}, { threads: 1 });
afterAll(() => pair.close());

async function run(
  request: Omit<GenerateRequest, "prompts">,
  prompts = ["a cartoon character"],
): Promise<GenerateEvent[]> {
  const events: GenerateEvent[] = [];
  for await (const event of generate(pair, { prompts, ...request })) events.push(event);
  return events;
}

const latents = (events: readonly GenerateEvent[], seed: number) => {
  const found = events.find((e) => e.type === "image" && e.seed === seed);
  if (found?.type !== "image") throw new Error(`no picture of seed ${seed}`);
  return found.latents.data;
};

const farthest = (a: Float32Array, b: Float32Array) =>
  a.reduce((w, v, i) => Math.max(w, Math.abs(v - (b[i] ?? Number.NaN))), 0);

describe("generate", { timeout: 240_000 }, () => {
  it("gives a seed the same picture alone, in a batch, and in another order", async () => {
    const alone = latents(await run({ mode: "hybrid", seeds: [5] }), 5);
    const together = await run({ mode: "hybrid", seeds: [3, 5, 8], batch: 3 });
    const turned = await run({ mode: "hybrid", seeds: [8, 5], batch: 2 });
    expect(farthest(latents(together, 5), alone)).toBeLessThan(1e-4);
    expect(farthest(latents(turned, 5), alone)).toBeLessThan(1e-4);
    expect(farthest(latents(together, 3), alone)).toBeGreaterThan(0.1);
  });

  it("gives the same pictures when one model follows the other over all batches, and says which it loads", async () => {
    const request = { mode: "hybrid", seeds: [3, 5, 8], batch: 2, baseSteps: 6, switch: 2 } as const;
    const prompts = ["a red cartoon character", "a cartoon character wearing a crown"];
    const together = await run(request, prompts);
    const inTurn = await run({ ...request, offload: "sequential" }, prompts);
    const pictures = (events: readonly GenerateEvent[]) =>
      events
        .flatMap((e) => (e.type === "image" ? [{ key: `${e.prompt}-${e.seed}`, data: e.latents.data }] : []))
        .sort((a, b) => a.key.localeCompare(b.key));
    expect(pictures(inTurn).map((p) => p.key)).toEqual(["0-3", "0-5", "0-8", "1-3", "1-5", "1-8"]);
    for (const [i, picture] of pictures(inTurn).entries()) {
      expect(farthest(picture.data, pictures(together)[i]?.data ?? new Float32Array())).toBeLessThan(1e-4);
    }
    expect(inTurn.flatMap((e) => (e.type === "released" ? [e.network] : []))).toEqual([
      "text encoders",
      "base",
      "distilled",
      "decoder",
    ]);
    expect(together.some((e) => e.type === "released")).toBe(false);
    const steps = inTurn.filter((e) => e.type === "step");
    const models = steps.map((s) => s.model);
    expect(models.lastIndexOf("base")).toBeLessThan(models.indexOf("distilled"));
    expect(
      steps.filter((s) => s.model === "distilled").every((s) => s.step === s.steps - 1 || s.step === s.steps - 2),
    ).toBe(true);
    // Let go after its rows: a second run loads everything again.
    const again = await run({ ...request, offload: "sequential" }, prompts);
    expect(again.flatMap((e) => (e.type === "loaded" ? [e.network] : []))).toEqual(["base", "distilled", "decoder"]);
  });

  it("encodes prompts as they come, so that memory does not grow with the number of images, and gives the same pictures", async () => {
    const request = { mode: "distilled", seeds: [0, 1, 2, 3, 4, 5] } as const;
    const prompts = ["a red cartoon character", "a cartoon character wearing a crown"];
    const events = await run({ ...request, batch: 1 }, prompts);
    const firstImage = events.findIndex((e) => e.type === "image");
    expect(events.flatMap((e, i) => (e.type === "encoded" ? [[e.prompt, i > firstImage]] : []))).toEqual([
      [0, false],
      [1, true],
    ]);
    const keys = events.flatMap((e) => (e.type === "image" ? [`${e.prompt}-${e.seed}`] : []));
    expect(keys).toEqual(prompts.flatMap((_, p) => request.seeds.map((seed) => `${p}-${seed}`)));
    const together = await run({ ...request, batch: 12 }, prompts);
    for (const seed of request.seeds)
      expect(farthest(latents(events, seed), latents(together, seed))).toBeLessThan(1e-4);
  });

  it("gives a prompt's noise together where it is spread, however small the batches", async () => {
    const request = {
      mode: "distilled",
      seeds: [0, 1, 2, 3, 4, 5, 6],
      diversity: [{ method: "spread" as const }],
    } as const;
    const [one, all] = [await run({ ...request, batch: 1 }), await run({ ...request, batch: 8 })];
    for (const seed of request.seeds) expect(farthest(latents(one, seed), latents(all, seed))).toBeLessThan(1e-4);
  });

  it("counts one call a step, and two with guidance", async () => {
    const calls = async (request: Omit<GenerateRequest, "prompts">) => {
      const last = (await run(request)).at(-1);
      return last?.type === "done" ? last.calls : null;
    };
    expect(await calls({ mode: "distilled" })).toBe(4);
    expect(await calls({ mode: "hybrid", switch: 2 })).toBe(4);
    expect(await calls({ mode: "hybrid", switch: 1, baseGuidance: 3 })).toBe(5);
    expect(await calls({ mode: "base", steps: 3 })).toBe(6);
  });

  it("names the model of every step, and x0 is what the last step arrives at", async () => {
    const events = await run({ mode: "hybrid", switch: 2 });
    const steps = events.filter((e) => e.type === "step");
    expect(steps.map((s) => [s.model, s.timestep, s.step])).toEqual([
      ["base", 999, 0],
      ["base", 749, 1],
      ["distilled", 499, 2],
      ["distilled", 249, 3],
    ]);
    const last = steps.at(-1);
    expect(last && farthest(last.x0.data, last.next.data)).toBeLessThan(1e-6);
  });

  it("generates only what is asked for, prompts apart from each other", async () => {
    const events = await run({ mode: "distilled", seeds: [1, 2], samples: [{ prompt: 1, seed: 2 }] }, [
      "a red cartoon character",
      "a blue cartoon character",
    ]);
    expect(events.filter((e) => e.type === "image").map((e) => [e.prompt, e.seed])).toEqual([[1, 2]]);
  });

  it("stops at a signal, before loading and between steps, with the signal's reason", async () => {
    const reason = new Error("enough");
    const early = generate(pair, { prompts: ["x"] }, AbortSignal.abort(reason));
    await expect(early.next()).rejects.toBe(reason);
    const stop = new AbortController();
    let steps = 0;
    const going = (async () => {
      for await (const event of generate(pair, { prompts: ["x"], mode: "base", steps: 20 }, stop.signal)) {
        if (event.type === "step" && ++steps === 3) stop.abort(reason);
      }
    })();
    await expect(going).rejects.toBe(reason);
    expect(steps).toBe(3);
  });

  it("runs two requests of different sizes at once", async () => {
    const [small, wide] = await Promise.all([
      run({ mode: "distilled" }),
      run({ mode: "distilled", size: { width: 96, height: 64 } }),
    ]);
    expect(small.filter((e) => e.type === "image").map((e) => e.image.width)).toEqual([64]);
    expect(wide.filter((e) => e.type === "image").map((e) => [e.image.width, e.image.height])).toEqual([[96, 64]]);
  });

  it.each<[string, Omit<GenerateRequest, "prompts">, string[], string | undefined]>([
    ["no prompt", {}, [], "prompts"],
    ["no seed", { seeds: [] }, ["x"], "seeds"],
    ["half a seed", { seeds: [1.5] }, ["x"], "seeds.0"],
    ["a size that does not divide", { size: { width: 64, height: 66 } }, ["x"], "size.height"],
    ["a clip skip beyond the layers", { clipSkip: 3 }, ["x"], "clipSkip"],
    ["a batch of none", { batch: 0 }, ["x"], "batch"],
    ["a switch beyond the schedule", { switch: 5 }, ["x"], undefined],
  ])("refuses %s before loading anything", async (_, request, prompts, field) => {
    const failure = await run(request, prompts).catch((e: unknown) => e);
    expect(failure).toBeInstanceOf(RequestError);
    expect(failure).toMatchObject({ field });
  });
});
