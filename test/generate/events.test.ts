import { afterAll, describe, expect, it } from "vitest";
import { eventJson, type GenerateEvent, generate, planFor } from "../../src/generate/index.js";
import { openPair } from "../../src/open/index.js";

const pair = await openPair({}, { threads: 1 });
afterAll(() => pair.close());

// The base's own schedule ends above the distilled row that follows: a row of fresh noise stands between them.
const request = {
  mode: "hybrid",
  baseSteps: 6,
  switch: 2,
  prompts: ["x"],
  seeds: [3],
  size: { width: 64, height: 48 },
} as const;
const events: GenerateEvent[] = [];
for await (const event of generate(pair, request)) events.push(event);

describe("events of a run", () => {
  it("name the row of the plan and the number of the step", () => {
    const { rows } = planFor(pair, request);
    expect(rows.some((row) => row.kind === "renoise")).toBe(true);
    const steps = events.filter((e) => e.type === "step");
    expect(steps.map((s) => s.step)).toEqual(steps.map((_, i) => i));
    for (const { row, timestep, model, steps: total } of steps) {
      expect(rows[row]).toMatchObject({ kind: "step", timestep, model });
      expect(total).toBe(rows.filter((r) => r.kind === "step").length);
    }
    expect(steps.at(-1)?.row).toBe(rows.length - 1);
  });

  it("have a JSON form without arrays of numbers, which reads back as it was written", () => {
    for (const event of events) {
      const json = eventJson(event);
      expect(JSON.parse(JSON.stringify(json))).toEqual(json);
      expect(json["type"]).toBe(event.type);
      expect(JSON.stringify(json).length).toBeLessThan(1000);
    }
    const [step, image] = ["step", "image"].map((type) => events.find((e) => e.type === type));
    expect(step && eventJson(step)).toMatchObject({ latents: [1, 4, 12, 16], prompt: 0, seed: 3 });
    expect(image && eventJson(image)).toMatchObject({ width: 64, height: 48, latents: [1, 4, 12, 16] });
  });
});
