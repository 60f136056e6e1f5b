import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { requestSchema } from "../../src/generate/index.js";
import { FIRST, requestOf, type Settings, seedsFor, settingsOf, stripOf } from "../../studio/src/settings.js";

const seeds = fc.uniqueArray(fc.nat(1000), { minLength: 1, maxLength: 6 });
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null });

/** Settings as the controls can make them. */
const settings: fc.Arbitrary<Settings> = seeds.chain((chosen) =>
  fc
    .record({
      prompt: fc.string({ minLength: 1 }),
      negative: maybe(fc.string()),
      seeds: fc.constant(chosen),
      switch: fc.oneof(fc.nat(4), fc.constant([0, 2]), fc.constant("auto" as const)),
      baseAlone: fc.boolean(),
      baseSteps: maybe(fc.integer({ min: 1, max: 50 })),
      baseGuidance: maybe(fc.integer({ min: 0, max: 12 })),
      guidance: maybe(fc.integer({ min: 0, max: 12 })),
      handoff: maybe(fc.constantFrom("ddim" as const, "lcm" as const, "schedule" as const)),
      adapters: fc.array(
        fc.record({
          ref: fc.string({ minLength: 1 }),
          scale: fc.integer({ min: -30, max: 30 }).map((tenths) => tenths / 10),
          on: fc.constantFrom("both" as const, "base" as const, "distilled" as const),
          only: maybe(fc.constantFrom(...chosen)),
          given: fc.constant(null),
        }),
        { maxLength: 3 },
      ),
      rest: fc.constantFrom({}, { clipSkip: 1, size: { width: 64, height: 48 } }),
    })
    .map((all) => ({ ...all, baseSteps: typeof all.switch === "number" && all.switch > 0 ? all.baseSteps : null }))
    .map((all) => ({ ...all, handoff: all.switch === "auto" ? null : all.handoff })),
);

describe("settings", () => {
  it("make requests that the schema takes, and are read back from them", () => {
    fc.assert(
      fc.property(settings, (given) => {
        const request = requestOf(given);
        expect(requestSchema.parse(request)).toEqual(request);
        expect(requestOf(settingsOf(request))).toEqual(request);
      }),
    );
  });

  it("are read from the record of another program's fields, and keep what has no control", () => {
    const request = {
      ...{ prompts: ["a harbour"], seeds: [7, 3], mode: "hybrid" as const, ratio: { base: 3, distilled: 2 } },
      ...{ steps: 8, scheduler: "TCDScheduler", eta: 0.3, adapters: [{ ref: "smile", scale: "0@0-1,0.8@2-3" }] },
    };
    const read = settingsOf(request);
    expect(read).toMatchObject({ prompt: "a harbour", seeds: [7, 3], switch: 2, baseSteps: 3 });
    expect(requestOf(read)).toEqual({ ...request, adapters: [{ ref: "smile", scale: "0@0-1,0.8@2-3", on: "both" }] });
  });

  it("apply a slider for one image to that image only", () => {
    const smile = { ref: "smile", scale: 1.5, on: "base" as const, only: 4, given: null };
    const { adapters } = requestOf({ ...FIRST, prompt: "x", seeds: [3, 4], adapters: [smile] });
    const samples = [3, 4].map((seed) => ({ prompt: 0, seed, scale: seed === 4 ? 1 : 0 }));
    expect(adapters).toEqual([{ ref: "smile", on: "base", scale: { whole: 1.5, blocks: {}, rows: [], samples } }]);
  });

  it("make a strip with one sample for each scale", () => {
    const smile = { ref: "smile", scale: 1.5, on: "both" as const, only: null, given: null };
    const strip = stripOf({ ...FIRST, prompt: "x", seeds: [3, 4], adapters: [smile] }, "smile", 4);
    expect(requestSchema.parse(strip)).toEqual(strip);
    expect(strip.samples).toEqual(strip.prompts.map((_, prompt) => ({ prompt, seed: 4 })));
    expect(strip.adapters?.[0]).toMatchObject({
      scale: { samples: [{ prompt: 0, seed: 4, scale: -2 }, {}, {}, {}, {}, {}, {}] },
    });
  });
});

describe("seedsFor", () => {
  it("adds seeds after the largest, and keeps the first", () => {
    expect(seedsFor(5, [7, 3])).toEqual([7, 3, 8, 9, 10]);
    expect(seedsFor(1, [7, 3])).toEqual([7]);
  });
});
