import { describe, expect, it } from "vitest";
import { zeroShot } from "../../src/evaluation/index.js";
import { estimator, kindOf, type MeasureName, ratio } from "../../src/experiments/measures.js";
import type { ImageReading, SampleSet } from "../../src/experiments/sample-set.js";
import { frechetDistance } from "../../src/metrics/index.js";
import { createRng, plainProduct } from "../../src/tensor/index.js";

const image = (seed: number, clip: readonly number[], more: Partial<ImageReading> = {}): ImageReading => ({
  seed,
  features: { clip: Float32Array.from(clip) },
  clipScore: 50,
  attributes: null,
  probabilities: null,
  numbers: null,
  curve: null,
  steps: null,
  ...more,
});

const row = (images: readonly (readonly ImageReading[])[], more: Partial<SampleSet> = {}): SampleSet => ({
  name: "row",
  images,
  prompts: images.map(() => "a character"),
  predictors: null,
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
  it("entropy of attributes by CLIP is over the prompts that leave them open", async () => {
    const clip = {
      text: async (text: string) => Float32Array.from(text === "a cap" ? [1, 0] : [0, 1]),
      logitScale: async () => 100,
    };
    const hat = { name: "hat", values: ["cap", "crown"], phrases: [["cap"], ["crown"]], texts: ["a cap", "a crown"] };
    const predictors = { attributes: [hat], predictors: await zeroShot(clip, [hat]) };
    const both = [image(0, [1, 0]), image(1, [0, 1])];
    const one = [image(0, [1, 0]), image(1, [1, 0])];
    const more = { predictors, prompts: ["a character", "another character", "a character with a cap"] };
    // ln 2 for certain values of equal frequency, 0 for one value; the third prompt names the attribute.
    expect(await meanOf("attribute-entropy", row([both, one, both], more))).toBeCloseTo(Math.LN2 / 2);
    expect(await meanOf("attribute-entropy", row([both, one, both]))).toBeNull();
    expect(await meanOf("attribute-entropy", row([both], { predictors, prompts: ["a cap"] }))).toBeNull();
  });

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

  it("accuracy has an interval that ends at 1", async () => {
    // Five prompts show all that they name, one half of it: 11/12 ± 0.21.
    const shown = (hat: string, seed: number) => image(seed, [1, 0], { attributes: { hat } });
    const right = [shown("cap", 0), shown("cap", 1)];
    const images = [right, right, right, right, right, [shown("cap", 0), shown("crown", 1)]];
    const named = images.map(() => ({ hat: "cap" }));
    const e = await kindOf("accuracy").estimate(row(images, { named }), null);
    expect(e).toMatchObject({ mean: expect.closeTo(11 / 12, 9), high: 1, n: 12 });
    expect(e?.low).toBeLessThan(0.8);
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

  it("time is the mean over cells, with an interval over cells", async () => {
    const samples = row([[image(0, [1, 0])]], { times: [5, 1, 2, 4, 3] });
    const time = await kindOf("time").estimate(samples, null);
    expect(time).toMatchObject({ mean: 3, n: 5 });
    // Logarithms of 10/4 … 14/4 deviate by up to 0.18, and t is 2.78.
    expect(time?.low).toBeCloseTo(1.46, 1);
    expect(await kindOf("time").estimate(row([], { times: [5, 1] }), null)).toMatchObject({ mean: 3, low: null });
  });

  it("the first x0 agrees with its image above chance", async () => {
    const run = (seed: number, first: string, last: string) =>
      image(seed, [1, 0], { attributes: { hat: last }, steps: [{ hat: first }, { hat: last }] });
    // Own: 3 of 4. Others: cap meets caps of the others 1 of 3, 1 of 3; crown 2 of 3; cap 2 of 3: 6 of 12.
    const images = [[run(0, "cap", "cap"), run(1, "cap", "cap"), run(2, "crown", "crown"), run(3, "cap", "crown")]];
    const others = (1 + 1 + 1 + 2) / 12;
    expect(await meanOf("first-agreement", row(images, { named: [{}] }))).toBeCloseTo(
      (0.75 - others) / (1 - others),
      9,
    );
    // A prompt that names the hat leaves nothing to agree on.
    expect(await meanOf("first-agreement", row(images, { named: [{ hat: "cap" }] }))).toBeNull();
    expect(await meanOf("first-agreement", row([[image(0, [1, 0]), image(1, [1, 0])]], { named: [{}] }))).toBeNull();
  });
});

describe("measures of whole sets", () => {
  /** Normal features of `n` images, [n][3], spread by `width`. */
  const points = (n: number, seed: number, width = 1) => {
    const { data } = createRng(seed).randn([n, 3]);
    return Array.from({ length: n }, (_, i) => [0, 1, 2].map((k) => width * (data[3 * i + k] ?? 0)));
  };
  const rowOf = (own: readonly (readonly number[])[]) => row(own.map((p, i) => [image(i, p)]));
  const real = points(60, 1000).map((p) => Float32Array.from(p));
  const reference = { features: { clip: real }, multiply: plainProduct, about: "points" };

  it("have intervals over prompts, and none below five", async () => {
    const samples = rowOf(points(40, 0, 0.6));
    for (const name of ["frechet", "recall"] as const) {
      const e = await kindOf(name).estimate(samples, reference);
      expect(e?.n).toBe(40);
      expect(e?.low ?? 9).toBeLessThan(e?.mean ?? 0);
      expect(e?.high ?? 0).toBeGreaterThan(e?.mean ?? 9);
    }
    const few = row([points(40, 0, 0.6).map((p, i) => image(i, p))]);
    expect(await kindOf("frechet").estimate(few, reference)).toMatchObject({ low: null, high: null, n: 40 });
  });

  it("have a floor that falls with the number of images, as the distance of the reference's halves", async () => {
    const floor = async (n: number) =>
      (await kindOf("frechet-floor").estimate(rowOf(points(n, 0)), reference))?.mean ?? 0;
    // Halves have 30 images: 1/60 + 1/60 is half of 1/30 + 1/30, and 1/15 + 1/60 is 1.25 of it.
    expect((await floor(15)) / (await floor(60))).toBeCloseTo(1.25 / 0.5, 9);
    // The size of the floor is that of a distance between two halves.
    const halves = await frechetDistance(real.slice(0, 30), real.slice(30));
    expect((await floor(60)) / (halves / 2)).toBeGreaterThan(0.3);
    expect((await floor(60)) / (halves / 2)).toBeLessThan(3);
    expect(await kindOf("frechet-floor").estimate(rowOf(points(9, 0)), null)).toBeNull();
  });

  it("are compared above the floor", async () => {
    const [narrow, narrower] = [rowOf(points(40, 0, 0.6)), rowOf(points(40, 0, 0.3))];
    const value = async (name: MeasureName, samples: SampleSet) =>
      (await kindOf(name).estimate(samples, reference))?.mean ?? 0;
    const floor = await value("frechet-floor", narrow);
    const [a, b] = [await value("frechet", narrower), await value("frechet", narrow)];
    const found = await ratio("frechet", narrower, narrow, estimator(reference));
    expect(floor).toBeGreaterThan(0);
    expect(found?.mean).toBeCloseTo((a - floor) / (b - floor), 9);
    expect(found?.low).toBeGreaterThan(1);
    // Nothing lies above the floor of a row of the reference itself.
    const same = row(real.map((f, i) => [image(i, [...f])]));
    expect(await ratio("frechet", narrow, same, estimator(reference))).toMatchObject({ mean: Number.NaN, low: null });
  });
});

describe("ratios of rows", () => {
  const scored = (scores: readonly (readonly number[])[]) =>
    row(scores.map((own) => own.map((clipScore, seed) => image(seed, [1, 0], { clipScore }))));

  it("pair prompts, and leave out those that one row has no images of", async () => {
    const [a, b] = [scored([[10, 30], [40], []]), scored([[40], [80], [5]])];
    // Every prompt has half of the other's.
    expect(await ratio("clip-score", a, b, estimator(null))).toEqual({ mean: 0.5, low: null, high: null, n: 2 });
    const [five, twice] = [
      [1, 2, 3, 4, 5],
      [2, 4, 6, 8, 10],
    ].map((v) => scored(v.map((x) => [x])));
    if (!five || !twice) throw new Error("two rows");
    expect(await ratio("clip-score", five, twice, estimator(null))).toEqual({
      ...{ mean: 0.5, n: 5 },
      ...{ low: expect.closeTo(0.5, 9), high: expect.closeTo(0.5, 9) },
    });
  });

  it("pair the cells of times, and have no interval for fewer than five", async () => {
    const cells = (...times: number[]) => row([], { times });
    expect(await ratio("time", cells(2), cells(4), estimator(null))).toEqual({
      mean: 0.5,
      low: null,
      high: null,
      n: 1,
    });
    const found = await ratio("time", cells(1, 2, 3, 4, 50), cells(2, 4, 6, 8, 100), estimator(null));
    expect(found).toMatchObject({ mean: 0.5, low: expect.closeTo(0.5, 9) });
    expect(await ratio("fid", cells(1), cells(1), estimator(null))).toBeNull();
  });

  it("of a change are over the prompts of both rows", async () => {
    const plain = scored([[20], [20], [20], [20], [20]]);
    const [one, two] = [
      { ...scored([[22], [24], [22], [24], [23]]), against: plain },
      { ...scored([[24], [28], [24], [28], [26]]), against: plain },
    ];
    // Changes of 15 % and 30 %, and each prompt's twice the other's.
    const found = await ratio("change", two, one, estimator(null));
    expect(found).toMatchObject({ mean: expect.closeTo(2, 9), low: expect.closeTo(2, 9), high: expect.closeTo(2, 9) });
  });
});
