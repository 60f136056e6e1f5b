import { describe, expect, it } from "vitest";
import {
  attributeAccuracy,
  freeAttributes,
  freeInformation,
  largestInformation,
  likeliestValues,
  phrasesOf,
} from "../../src/evaluation/index.js";

const attribute = (name: string, values: readonly (string | number)[]) => ({
  name,
  values,
  phrases: values.map((v) => phrasesOf(name, v)),
});
const [hat, eyes] = [attribute("hat", ["none", "cap", "top hat"]), attribute("eyes", [1, 3])];

describe("what images show", () => {
  const images = [
    { hat: [0, 1, 0], eyes: [1, 0] },
    { hat: [1, 0, 0], eyes: [1, 0] },
    { hat: [0, 1, 0], eyes: [0, 1] },
    { hat: [1, 0, 0], eyes: [1, 0] },
  ];
  const h = (p: number) => -p * Math.log(p) - (1 - p) * Math.log(1 - p);
  // Hats 2 : 2 are 4 ln 2 less 3 h(1/3). Eyes 3 : 1 are 4 h(1/4) less 3 times the mean of three h(1/3) and one 0, and at most ln 2.
  const ofHats = 4 * Math.LN2 - 3 * h(1 / 3);
  const ofEyes = Math.min(Math.LN2, 4 * h(1 / 4) - (9 * h(1 / 3)) / 4);

  it("has the information of the attributes that are free, in nats", () => {
    expect(freeInformation(images, freeAttributes(["hat", "eyes"], {}))).toBeCloseTo(ofHats + ofEyes, 12);
    expect(freeInformation(images, freeAttributes(["hat", "eyes"], { hat: "cap" }))).toBeCloseTo(ofEyes, 12);
    expect(freeInformation(images, freeAttributes(["hat", "eyes"], { hat: "cap", eyes: 1 }))).toBe(0);
    expect(freeInformation(images, ["hat"], [0, 2])).toBeCloseTo(0, 12);
    expect(freeInformation(images.slice(0, 1), ["hat"])).toBeNaN();
    expect(largestInformation([hat, eyes])).toBeCloseTo(Math.log(3) + Math.log(2), 12);
  });

  it("has the likeliest values, and an accuracy for each attribute that is named", () => {
    const shown = images.map((p) => likeliestValues(p, [hat, eyes]));
    expect(shown[0]).toEqual({ hat: "cap", eyes: 1 });
    expect(attributeAccuracy(shown, { hat: "cap" })).toEqual([1, 0, 1, 0]);
    expect(attributeAccuracy(shown, { hat: "cap", eyes: 1 })).toEqual([1, 1, 0, 1, 1, 0, 0, 1]);
    expect(attributeAccuracy(shown, {})).toEqual([]);
  });
});
