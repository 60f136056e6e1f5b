import { describe, expect, it } from "vitest";
import {
  type Evaluator,
  evaluate,
  keptDiversity,
  likeliestValues,
  predictAttributes,
  summarise,
  zeroShot,
} from "../../src/evaluation/index.js";
import type { AttributeClassifier, ClipScorer } from "../../src/instruments/index.js";
import { NO_WEIGHTS } from "../../src/networks/index.js";
import type { RgbImage } from "../../src/tensor/index.js";

const none = NO_WEIGHTS;
/** An image whose first pixel is its content. */
const image = (red: number, green: number): RgbImage => ({
  width: 3,
  height: 1,
  data: Uint8Array.of(red, green, 0, 0, 0, 0, 0, 0, 0),
});
/** CLIP features of an image are its first two values; those of a text its numbers. */
const clip: ClipScorer = {
  index: none,
  preparation: "",
  logitScale: async () => 100,
  tower: { size: 1, mean: [0, 0, 0], std: [1, 1, 1], draw: () => expect.unreachable(), weights: none },
  images: async (images) => images.map((i) => Float32Array.of(i.data[0] ?? 0, i.data[1] ?? 0)),
  text: async (text) => Float32Array.from([...text.matchAll(/\d+/g)].map(Number)),
};
/** Red is whether the first value is above 100; how red, its share of 255. */
const classifier: AttributeClassifier = {
  index: none,
  preparation: "",
  config: {
    image_size: 3,
    layers: [],
    factors: { color: ["red", "green"], eyes: [1, 2] },
    words: { eyes: { "1": "one eye", "2": "two eyes" } },
    regress: ["redness"],
  },
  classify: async (images) =>
    images.map(({ data }) => ({
      attributes: { color: (data[0] ?? 0) > 100 ? "red" : "green", eyes: 2 },
      probabilities: { color: (data[0] ?? 0) > 100 ? [1, 0] : [0, 1], eyes: [0, 1] },
      numbers: { redness: (data[0] ?? 0) / 255 },
      features: Float32Array.of(1, (data[0] ?? 0) > 100 ? 1 : -1),
    })),
};

const prompts = ["a fox 10 0", "a red fox with one eye 0 10"];
const images = [
  [image(200, 0), image(0, 200)],
  [image(150, 0), image(255, 0)],
];

describe("an evaluator", async () => {
  const reading = await evaluate({ clip, classifier }, images, prompts);

  it("reads every image of every prompt, in order", () => {
    expect(reading.features.map((p) => p.map((f) => [...f]))).toEqual([
      [
        [200, 0],
        [0, 200],
      ],
      [
        [150, 0],
        [255, 0],
      ],
    ]);
    expect(reading.clipScores).toEqual([
      [100, 0],
      [0, 0],
    ]);
    expect(reading.attributes?.all).toEqual(["color", "eyes"]);
    expect(reading.attributes?.named).toEqual([{}, { color: "red", eyes: 1 }]);
    expect(reading.attributes?.predicted.map((p) => p.map((a) => a["color"]))).toEqual([
      ["red", "green"],
      ["red", "red"],
    ]);
    expect(reading.attributes?.numbers[1]?.map((n) => n["redness"])).toEqual([150 / 255, 1]);
  });

  it("is summarised over prompts", () => {
    const { distance, clipScore, attributes } = summarise(reading);
    // Right angles in the first prompt, one direction in the second.
    expect(distance.mean).toBeCloseTo(0.5, 9);
    expect(clipScore.mean).toBeCloseTo(25, 9);
    expect(attributes?.distance.mean).toBeCloseTo(0.5, 9);
    // Two of the four named attributes are as named; the first prompt leaves colours free (ln 2), the second nothing.
    expect(attributes?.accuracy?.mean).toBeCloseTo(0.5, 9);
    expect(attributes?.entropy.mean).toBeCloseTo(Math.LN2 / 2, 9);
  });

  it("has no attributes without a classifier, and no accuracy where no prompt names one", async () => {
    const evaluator: Evaluator = { clip, classifier: null };
    const bare = await evaluate(evaluator, images, prompts);
    expect(bare.attributes).toBeNull();
    expect(summarise(bare).attributes).toBeUndefined();
    expect(keptDiversity(bare, reading).attributes).toBeUndefined();
    const unnamed = await evaluate({ clip, classifier }, images, ["1 1", "1 1"]);
    expect(summarise(unnamed).attributes?.accuracy).toBeNull();
  });

  it("has neither distance nor entropy for one image of each prompt", async () => {
    const one = await evaluate({ clip, classifier }, [[image(200, 0)], [image(0, 200)]], prompts);
    const { distance, attributes, clipScore } = summarise(one);
    expect([distance.mean, attributes?.distance.mean, attributes?.entropy.mean]).toEqual([NaN, NaN, NaN]);
    expect(clipScore.mean).toBeCloseTo(100, 9);
  });

  it("sets the diversity of two models side by side, prompt by prompt", async () => {
    const more = [
      [image(200, 0), image(0, 200)],
      [image(150, 0), image(0, 255)],
    ];
    const { distance, attributes } = keptDiversity(reading, await evaluate({ clip, classifier }, more, prompts));
    expect(distance.mean).toBeCloseTo(0.5, 9);
    expect(distance.n).toBe(2);
    expect(attributes?.distance.mean).toBeCloseTo(0.5, 9);
  });
});

describe("zero-shot attributes", () => {
  const attributes = [
    { name: "color", values: ["red", "green"], phrases: [["red"], ["green"]], texts: ["10 0", "0 10"] },
    { name: "eyes", values: [1, 2], phrases: [["one"], ["two"]], texts: ["1 3", "3 1"] },
  ];

  it("are the likelier the nearer their text is, attribute by attribute", async () => {
    const features = await Promise.all(images.map((own) => clip.images(own)));
    const read = predictAttributes(features, await zeroShot(clip, attributes));
    expect(read.map((own) => own.map((p) => likeliestValues(p, attributes)))).toEqual([
      [
        { color: "red", eyes: 2 },
        { color: "green", eyes: 1 },
      ],
      [
        { color: "red", eyes: 2 },
        { color: "red", eyes: 2 },
      ],
    ]);
  });

  it("are less certain after fitting to images whose labels they miss", async () => {
    const color = (await zeroShot(clip, attributes)).get("color");
    const seen = await clip.images([image(200, 0), image(0, 200), image(200, 0), image(0, 200)]);
    expect(color?.scale).toBe(100);
    expect(color?.fittedScale(seen, [0, 1, 0, 1])).toBe(100);
    const unsure = color?.fittedScale(seen, [0, 1, 1, 0]) ?? 100;
    expect(unsure).toBeLessThan(1);
    expect(color?.at(unsure).probabilities(seen)[0]?.[0]).toBeCloseTo(0.5, 1);
  });
});
