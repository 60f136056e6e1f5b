import { describe, expect, it } from "vitest";
import {
  estimator,
  type ImageReading,
  kindOf,
  type MeasureName,
  ratio,
  type SampleSet,
} from "../../src/experiments/measures.js";
import { plainProduct } from "../../src/tensor/index.js";

const image = (seed: number, clip: readonly number[], more: Partial<ImageReading> = {}): ImageReading => ({
  seed,
  features: { clip: Float32Array.from(clip) },
  clipScore: 50,
  attributes: null,
  probabilities: null,
  numbers: null,
  curve: null,
  ...more,
});

const row = (images: readonly (readonly ImageReading[])[], more: Partial<SampleSet> = {}): SampleSet => ({
  name: "row",
  images,
  named: null,
  attribute: null,
  times: [],
  callsPerImage: 4,
  timesteps: [999, 749, 499, 249],
  apart: null,
  against: null,
  ...more,
});

const meanOf = async (m: MeasureName, samples: SampleSet) => (await kindOf(m).estimate(samples, null))?.mean ?? null;

describe("measures of a row", () => {
  it("distance is the mean over prompts of that between seeds", async () => {
    const samples = row([
      [image(0, [1, 0]), image(1, [0, 1])],
      [image(0, [1, 0]), image(1, [1, 0])],
    ]);
    expect(await meanOf("distance", samples)).toBeCloseTo(0.5);
    expect(await meanOf("classifier-distance", samples)).toBeNull();
    expect(await meanOf("distance", row([[image(0, [1, 0])]]))).toBeNull();
  });

  it("entropy and accuracy are of the attributes that the prompt leaves free, and names", async () => {
    const attributes = ["red", "blue"].map((color) => ({
      attributes: { color, hat: color === "red" ? "cap" : "crown" },
      probabilities: color === "red" ? { color: [1, 0], hat: [1, 0] } : { color: [0, 1], hat: [0, 1] },
    }));
    const images = [attributes.map((a, i) => image(i, [1, 0], a))];
    expect(await meanOf("entropy", row(images, { named: [{}] }))).toBeCloseTo(2 * Math.LN2);
    expect(await meanOf("entropy", row(images, { named: [{ hat: "cap" }] }))).toBeCloseTo(Math.LN2);
    expect(await meanOf("accuracy", row(images, { named: [{ hat: "cap" }] }))).toBeCloseTo(0.5);
    expect(await meanOf("accuracy", row(images, { named: [{}] }))).toBeNull();
    expect(await meanOf("entropy", row(images))).toBeNull();
  });

  it("change is that of the mean CLIP score of paired images", async () => {
    const at = (seed: number, clipScore: number) => image(seed, [1, 0], { clipScore });
    const against = row([[at(1, 20), at(0, 40), at(9, 99)]]);
    expect(await meanOf("change", row([[at(0, 60), at(1, 30)]], { against }))).toBeCloseTo(50);
    expect(await meanOf("change", row([[at(0, 60)]]))).toBeNull();
    expect(await meanOf("change", row([[at(7, 60)]], { against }))).toBeNull();
  });

  it("attribute-change is that of a number, or of the share that has a value", async () => {
    const plain = row([[image(0, [1, 0], { numbers: { smile: -0.2 }, attributes: { hat: "cap" } })]]);
    const slid = row([[image(0, [1, 0], { numbers: { smile: 0.3 }, attributes: { hat: "crown" } })]], {
      against: plain,
    });
    expect(await meanOf("attribute-change", { ...slid, attribute: "smile" })).toBeCloseTo(0.5);
    expect(await meanOf("attribute-change", { ...slid, attribute: "hat=crown|top hat" })).toBe(1);
    expect(await meanOf("attribute-change", { ...slid, attribute: "hat=cap" })).toBe(-1);
    expect(await meanOf("attribute-change", { ...slid, attribute: "frown" })).toBeNull();
  });

  it("commitment takes its unit from the experiment, not from the row's own images", async () => {
    const curves = [
      [0.9, 0.2, 0.1, 0],
      [0.9, 0.2, 0.7, 0],
    ];
    // These images are 1 apart: near would be within 0.5.
    const images = [curves.map((curve, i) => image(i, i === 0 ? [1, 0] : [0, 1], { curve }))];
    expect(await meanOf("committed", row(images, { apart: [1] }))).toBeCloseTo((2 / 4 + 4 / 4) / 2);
    expect(await meanOf("committed-level", row(images, { apart: [1] }))).toBeCloseTo((0.749 + 0.249) / 2);
    expect(await meanOf("committed", row(images, { apart: [0.3] }))).toBeCloseTo((3 / 4 + 4 / 4) / 2);
    expect(await meanOf("committed", row(images))).toBeNull();
  });

  it("a set against itself has no Fréchet distance, all recall and all precision", async () => {
    const points = Array.from({ length: 20 }, (_, i) => [Math.cos(i), Math.sin(i * 1.7), 1]);
    const samples = row(points.map((p, i) => [image(i, p)]));
    const reference = {
      features: { clip: points.map((p) => Float32Array.from(p)) },
      multiply: plainProduct,
      about: "itself",
    };
    expect((await kindOf("frechet").estimate(samples, reference))?.mean).toBeCloseTo(0, 6);
    expect((await kindOf("recall").estimate(samples, reference))?.mean).toBe(1);
    expect((await kindOf("precision").estimate(samples, reference))?.mean).toBe(1);
    expect(await kindOf("frechet").estimate(samples, null)).toBeNull();
  });

  it("time is the median of the cells with its middle half", async () => {
    const samples = row([[image(0, [1, 0])]], { times: [5, 1, 2, 100, 3] });
    expect(await kindOf("time").estimate(samples, null)).toEqual({ mean: 3, low: 2, high: 5, n: 5 });
  });
});

describe("ratios of rows", () => {
  const scored = (scores: readonly (readonly number[])[]) =>
    row(scores.map((own) => own.map((clipScore, seed) => image(seed, [1, 0], { clipScore }))));

  it("pair prompts, and leave out those that one row has no images of", async () => {
    const [a, b] = [scored([[10, 30], [40], []]), scored([[40], [80], [5]])];
    // Every prompt has half of the other's.
    expect(await ratio("clip-score", a, b, estimator(null))).toEqual({ mean: 0.5, low: 0.5, high: 0.5, n: 2 });
  });

  it("have no interval where a measure is one number for the whole row", async () => {
    const [a, b] = [row([], { times: [2] }), row([], { times: [4] })];
    expect(await ratio("time", a, b, estimator(null))).toEqual({ mean: 0.5, low: null, high: null, n: 1 });
    expect(await ratio("fid", a, b, estimator(null))).toBeNull();
  });
});
