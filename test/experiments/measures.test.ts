import { describe, expect, it } from "vitest";
import { kindOf, type MeasureName, type Painted, type Seen } from "../../src/experiments/measures.js";
import { plainProduct } from "../../src/tensor/index.js";

const seen = (seed: number, clip: readonly number[], more: Partial<Seen> = {}): Seen => ({
  seed,
  features: { clip: Float32Array.from(clip) },
  likeness: 0.5,
  factors: null,
  numbers: null,
  curve: null,
  ...more,
});

const row = (pictures: readonly (readonly Seen[])[], more: Partial<Painted> = {}): Painted => ({
  name: "row",
  pictures,
  named: null,
  reads: null,
  times: [],
  callsPerImage: 4,
  timesteps: [999, 749, 499, 249],
  against: null,
  ...more,
});

const meanOf = async (m: MeasureName, painted: Painted) => (await kindOf(m).estimate(painted, null))?.mean ?? null;

describe("measures of a row", () => {
  it("distance is the mean over prompts of that between seeds", async () => {
    const painted = row([
      [seen(0, [1, 0]), seen(1, [0, 1])],
      [seen(0, [1, 0]), seen(1, [1, 0])],
    ]);
    expect(await meanOf("distance", painted)).toBeCloseTo(0.5);
    expect(await meanOf("judge-distance", painted)).toBeNull();
    expect(await meanOf("distance", row([[seen(0, [1, 0])]]))).toBeNull();
  });

  it("entropy counts the factors that the prompt leaves free", async () => {
    const factors = ["red", "blue"].map((color) => ({ factors: { color, hat: color === "red" ? "cap" : "crown" } }));
    const pictures = [factors.map((f, i) => seen(i, [1, 0], f))];
    expect(await meanOf("entropy", row(pictures, { named: [{}] }))).toBeCloseTo(2 * Math.LN2);
    expect(await meanOf("entropy", row(pictures, { named: [{ hat: "cap" }] }))).toBeCloseTo(Math.LN2);
    expect(await meanOf("named", row(pictures, { named: [{ hat: "cap" }] }))).toBeCloseTo(0.5);
  });

  it("change is that of the mean CLIP score, and nothing where CLIP does not see the concept", async () => {
    const at = (likeness: number) => row([[seen(0, [1, 0], { likeness })]]);
    expect(await meanOf("change", { ...at(0.3), against: at(0.2) })).toBeCloseTo(50);
    expect(await meanOf("change", { ...at(0.3), against: at(0.09) })).toBeNull();
    expect(await meanOf("change", at(0.3))).toBeNull();
  });

  it("reading is the change of a number, or of the share that has a value", async () => {
    const plain = row([[seen(0, [1, 0], { numbers: { smile: -0.2 }, factors: { hat: "cap" } })]]);
    const slid = row([[seen(0, [1, 0], { numbers: { smile: 0.3 }, factors: { hat: "crown" } })]], { against: plain });
    expect(await meanOf("reading", { ...slid, reads: "smile" })).toBeCloseTo(0.5);
    expect(await meanOf("reading", { ...slid, reads: "hat=crown|top hat" })).toBe(1);
    expect(await meanOf("reading", { ...slid, reads: "hat=cap" })).toBe(-1);
    expect(await meanOf("reading", { ...slid, reads: "frown" })).toBeNull();
  });

  it("committed is the step after which a picture stays near its own end", async () => {
    // Pictures of two seeds are 1 apart: near is within 0.5.
    const curves = [
      [0.9, 0.2, 0.1, 0],
      [0.9, 0.2, 0.7, 0],
    ];
    const painted = row([curves.map((curve, i) => seen(i, i === 0 ? [1, 0] : [0, 1], { curve }))]);
    expect(await meanOf("committed", painted)).toBeCloseTo((2 / 4 + 4 / 4) / 2);
    expect(await meanOf("committed-level", painted)).toBeCloseTo((0.749 + 0.249) / 2);
  });

  it("a set against itself has no Fréchet distance, all recall and all precision", async () => {
    const points = Array.from({ length: 20 }, (_, i) => [Math.cos(i), Math.sin(i * 1.7), 1]);
    const painted = row(points.map((p, i) => [seen(i, p)]));
    const reference = {
      features: { clip: points.map((p) => Float32Array.from(p)) },
      multiply: plainProduct,
      about: "itself",
    };
    expect((await kindOf("frechet").estimate(painted, reference))?.mean).toBeCloseTo(0, 6);
    expect((await kindOf("recall").estimate(painted, reference))?.mean).toBe(1);
    expect((await kindOf("precision").estimate(painted, reference))?.mean).toBe(1);
    expect(await kindOf("frechet").estimate(painted, null)).toBeNull();
  });

  it("time is the median of the cells with its middle half", async () => {
    const painted = row([[seen(0, [1, 0])]], { times: [5, 1, 2, 100, 3] });
    expect(await kindOf("time").estimate(painted, null)).toEqual({ mean: 3, low: 2, high: 5, n: 5 });
  });
});
