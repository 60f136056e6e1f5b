import { afterAll, describe, expect, it } from "vitest";
import { RequestError } from "../../src/errors.js";
import { type ExploredMode, exploration, exploreRequests } from "../../src/explore/index.js";
import { uniform } from "../../src/metrics/index.js";
import { openPair } from "../../src/open/index.js";
import type { RgbImage } from "../../src/tensor/index.js";

/** Image of two halves, each of one grey. */
const halves = (left: number, right: number): RgbImage => {
  const data = new Uint8Array(32 * 32 * 3);
  for (let i = 0; i < data.length; i++) data[i] = Math.floor(i / 3) % 32 < 16 ? left : right;
  return { width: 32, height: 32, data };
};

const seeds = Array.from({ length: 240 }, (_, i) => i);
const random = uniform(3);
const level = (range: number) => 128 + range * (random() - 0.5);
/** Left half varies more than the right half; the distilled model has lost the left one's variety, the hybrid keeps both. */
const made: ExploredMode[] = [
  { mode: "base", images: seeds.map(() => halves(level(200), level(100))) },
  { mode: "distilled", images: seeds.map(() => halves(level(30), level(100))) },
  { mode: "hybrid", images: seeds.map(() => halves(level(200), level(100))) },
];

describe("an exploration", async () => {
  const found = await exploration({ prompt: "two halves", seeds, directions: 3 }, made, null);

  it("finds the directions that the base's images vary along, by falling variance", () => {
    expect(found).toMatchObject({ features: "pixels", reference: "base" });
    expect(found.found).toEqual(seeds.filter((s) => s % 2 === 0));
    // Only two things vary.
    expect(found.directions).toHaveLength(2);
    const [first, second] = found.directions.map((d) => d.share);
    // Variances of uniform values are as 4 to 1.
    expect(first).toBeGreaterThan(0.65);
    expect((first ?? 0) + (second ?? 0)).toBeCloseTo(1, 2);
  });

  it("says what each model keeps and loses of them, with intervals", () => {
    const verdicts = found.directions.map((d) => d.modes.map((m) => m.verdict));
    expect(verdicts).toEqual([
      [null, "lost", "kept"],
      [null, "kept", "kept"],
    ]);
    const lost = found.directions[0]?.modes[1]?.variance;
    expect(lost?.high).toBeLessThan(0.1);
    expect(found.modes[0]?.variance).toBeNull();
    expect(found.modes[1]?.variance?.high).toBeLessThan(0.5);
    expect(found.modes[2]?.variance?.mean).toBeGreaterThan(0.5);
  });

  it("counts the directions that each model has", () => {
    const [base, distilled] = found.modes;
    for (const { spectrum } of found.modes) expect(spectrum.reduce((a, b) => a + b)).toBeCloseTo(1, 6);
    expect(base?.effectiveRank).toBeGreaterThan(1.4);
    expect(distilled?.effectiveRank).toBeLessThan(base?.effectiveRank ?? 0);
  });
});

describe("a request to explore", async () => {
  const pair = await openPair({}, { threads: 1 });
  afterAll(() => pair.close());

  it("runs one prompt in every mode, or in those that are asked for", () => {
    const request = { prompt: "a", seeds, clip: "none", directions: 2 };
    expect(exploreRequests(pair, request).map((r) => [r.mode, r.prompts])).toEqual([
      ["base", ["a"]],
      ["distilled", ["a"]],
      ["hybrid", ["a"]],
    ]);
    expect(exploreRequests(pair, { ...request, modes: ["distilled"] })).toHaveLength(1);
  });

  it("needs ten seeds", () => {
    expect(() => exploreRequests(pair, { prompt: "a", seeds: [1, 2, 3] })).toThrow(RequestError);
    expect(() => exploreRequests(pair, { prompt: "a", seeds: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1] })).toThrow(
      "explore has 1 seed and needs 10 or more, such as --seeds 0-63: half find the directions, half are measured",
    );
  });
});
