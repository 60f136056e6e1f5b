import { afterAll, describe, expect, it } from "vitest";
import { RequestError } from "../../src/errors.js";
import {
  callsPerImage,
  type GenerateEvent,
  type GenerateRequest,
  generate,
  planFor,
} from "../../src/generate/index.js";
import { openPair } from "../../src/open/index.js";
import { describePlan, isGrouped, parsePlan, planJson, samplesPerRow } from "../../src/sampling/index.js";

const pair = await openPair({}, { threads: 1 });
const blind = await openPair({}, { threads: 1, clip: "none" });
afterAll(async () => {
  await pair.close();
  await blind.close();
});

const usual = { prompts: ["a cartoon character"], size: { width: 64, height: 48 }, steps: 3, handoff: "lcm" } as const;
type Asked = Partial<GenerateRequest>;

async function eventsOf(asked: Asked, on = pair): Promise<GenerateEvent[]> {
  const events: GenerateEvent[] = [];
  for await (const event of generate(on, { ...usual, ...asked })) events.push(event);
  return events;
}
const choicesOf = (events: readonly GenerateEvent[]) => events.flatMap((e) => (e.type === "chosen" ? [e] : []));
const latentsOf = (events: readonly GenerateEvent[]) =>
  new Map(events.flatMap((e) => (e.type === "image" ? [[`${e.prompt}-${e.seed}`, e.latents.data] as const] : [])));
const farthest = (a: Float32Array, b: Float32Array = new Float32Array(1)) =>
  a.reduce((w, v, i) => Math.max(w, Math.abs(v - (b[i] ?? Number.NaN))), 0);

describe("a choice of seeds", { timeout: 240_000 }, () => {
  it("keeps the set whose pairs have the least energy, of all sets", async () => {
    const events = await eventsOf({ seeds: [5], choose: { keep: 3, of: 7 }, chooseFit: 0 });
    const x0 = events.flatMap((e) => (e.type === "step" && e.step === 0 ? [e.x0.data] : []));
    expect(x0).toHaveLength(7);
    const d = (i: number, j: number) =>
      Math.sqrt((x0[i] ?? new Float32Array()).reduce((s, v, k) => s + (v - (x0[j]?.[k] ?? 0)) ** 2, 0));
    let [best, least] = ["", Number.POSITIVE_INFINITY];
    for (let a = 0; a < 7; a++)
      for (let b = a + 1; b < 7; b++)
        for (let c = b + 1; c < 7; c++) {
          const energy = d(a, b) ** -4 + d(a, c) ** -4 + d(b, c) ** -4;
          if (energy < least) [best, least] = [`${[a + 5, b + 5, c + 5]}`, energy];
        }
    expect(choicesOf(events).map(({ row, prompt, of, seeds }) => [row, prompt, of, `${seeds}`])).toEqual([
      [0, 0, 7, best],
    ]);
    expect([...latentsOf(events).keys()]).toEqual(best.split(",").map((seed) => `0-${seed}`));
  });

  it("gives the images that the kept seeds have without it, of each prompt, whatever the batches", async () => {
    const prompts = ["a cartoon character", "a red cartoon character"];
    for (const more of [{ batch: 3 }, { offload: "sequential" }] as const) {
      const events = await eventsOf({ prompts, choose: { keep: 2, of: 6 }, ...more });
      const kept = choicesOf(events).flatMap(({ prompt, seeds }) => seeds.map((seed) => ({ prompt, seed })));
      expect(kept.map((s) => s.prompt)).toEqual([0, 0, 1, 1]);
      const plain = latentsOf(await eventsOf({ prompts, seeds: [0, 1, 2, 3, 4, 5], samples: kept }));
      const chosen = latentsOf(events);
      expect(chosen.size).toBe(4);
      for (const [key, data] of chosen) expect(farthest(data, plain.get(key)), key).toBeLessThan(1e-3);
    }
  });

  it("drops a share after each step, and counts the calls of all", async () => {
    const asked = { choose: { keep: 2, of: 9 }, choosePrune: 0.5 } as const;
    const events = await eventsOf(asked);
    // 9 → ⌈4.5⌉ = 5 → ⌈2.5⌉ = 3 → 2 before the decoder.
    expect(choicesOf(events).map(({ row, of, seeds }) => [row, of, seeds.length])).toEqual([
      [0, 9, 5],
      [1, 5, 3],
      [2, 3, 2],
    ]);
    const done = events.at(-1);
    expect(done).toMatchObject({ type: "done", images: 2, calls: 9 + 5 + 3 });
    const plan = planFor(pair, { ...usual, ...asked });
    expect(samplesPerRow(plan)).toEqual([4.5, 2.5, 1.5]);
    expect(callsPerImage(pair, plan)).toBe(17 / 2);
    expect(parsePlan(JSON.parse(JSON.stringify(planJson(plan))), "run.json")).toEqual(plan);
    expect(isGrouped(plan)).toBe(true);
    expect(describePlan(plan).rows[0]?.at(-1)).toBe("keeps 5 of 9 seeds (by latents, fit 0.1)");
  });

  it("weighs how well images fit the prompt, and compares by CLIP", async () => {
    const of = async (asked: Asked) =>
      `${choicesOf(await eventsOf({ choose: { keep: 3, of: 12 }, ...asked }))[0]?.seeds}`;
    const plain = await of({ chooseFit: 0 });
    const fitting = await of({ chooseFit: 100 });
    expect(fitting).not.toBe(plain);
    // With the fit alone the seeds of a larger choice are among the best: the three are those of every weight above.
    expect(await of({ chooseFit: 1000 })).toBe(fitting);
    expect(await of({ chooseBy: "clip", chooseFit: 0 })).not.toBe(plain);
  });

  it("says that no CLIP judges the fit, and is refused by CLIP without one", async () => {
    const notices = (await eventsOf({ choose: { keep: 2, of: 3 } }, blind)).flatMap((e) =>
      e.type === "notice" ? [e.text] : [],
    );
    expect(notices).toEqual([expect.stringMatching(/latents only.*no CLIP/)]);
    const refused = eventsOf({ choose: { keep: 2, of: 3 }, chooseBy: "clip" }, blind);
    await expect(refused).rejects.toBeInstanceOf(RequestError);
    await expect(refused).rejects.toThrow(/--clip/);
  });

  it.each([
    [{ seeds: [0, 1, 2], choose: { keep: 2, of: 4 } }, /from 4 seeds, and 3 are given/],
    [{ choose: { keep: 4, of: 4 } }, /fewer seeds to keep/],
    [{ choose: { keep: 1, of: 4 } }, /at least 2/],
    [{ choose: { keep: 2, of: 4 }, diversity: [{ method: "particles" }] }, /--choose and --diversity particles/],
    [{ choose: { keep: 2, of: 4 }, diversity: [{ method: "spread" }] }, /--choose and --diversity spread/],
    [{ choose: { keep: 2, of: 4 }, seeds: [0, 1, 2, 3], samples: [{ prompt: 0, seed: 1 }] }, /1 samples of prompt 0/],
    [{ choose: { keep: 2, of: 4 }, choosePrune: 1 }, /below 1/],
  ] as readonly (readonly [Asked, RegExp])[])("is refused: %j", async (asked, message) => {
    const refused = eventsOf(asked);
    await expect(refused).rejects.toBeInstanceOf(RequestError);
    await expect(refused).rejects.toThrow(message);
  });
});
