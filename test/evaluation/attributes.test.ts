import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  attributeAccuracy,
  attributeFinder,
  attributesOf,
  freeAttributes,
  freeEntropy,
  largestEntropy,
  phraseFinder,
} from "../../src/evaluation/index.js";

describe("a phrase in a prompt", () => {
  it.each([
    ["top hat", "a fox in a Top Hat", 11],
    ["cap", "a captain", -1],
    ["cap", "a red cap, worn", 6],
    ["red", "infrared", -1],
    ["red", "the red's", 4],
    // A hyphen separates words, so that compounds name their parts.
    ["3-eyed", "a 3-eyed fox", 2],
    ["3", "a 3-eyed fox", 2],
    ["3", "a 13-eyed fox", -1],
    ["3-eyed", "a 13-eyed fox", -1],
    ["blue", "a blue-eyed fox", 2],
    ["top hat", "a top-hat", 2],
    ["top hat", "1girl, top_hat", 7],
    ["top hat", "top  hat", 0],
    // Letters beyond ASCII: \b finds no boundary before é, and one inside of "éred".
    ["élan", "an élan", 3],
    ["red", "éred", -1],
    ["schön", "schöner", -1],
    ["straße", "eine Straße", 5],
    ["ÉLAN", "e\u0301lan", 0],
    ["ред", "передний", -1],
    // Scripts without spaces.
    ["红色", "红色的帽子", 0],
    ["帽子", "红色的帽子", 3],
    ["หมวก", "สวมหมวกแดง", 3],
    // Phrases that end in no letter.
    ["c++", "a book about c++11", 13],
    ["(red)", "a (red) fox", 2],
    ["a.b", "axb", -1],
    ["$5", "costs $5", 6],
    ["", "anything", -1],
    [" ", "a b", -1],
  ])("%j in %j begins at %i", (phrase, prompt, at) => {
    expect(phraseFinder(phrase)(prompt)).toBe(at);
  });

  it("is found wherever it stands between spaces, whatever its characters", () => {
    const word = fc
      .string({ unit: "grapheme", minLength: 1 })
      .filter((s) => s.trim() !== "" && !/^[\s_-]|[\s_-]$/.test(s));
    fc.assert(
      fc.property(word, word, word, (before, phrase, after) => {
        expect(phraseFinder(phrase)(`${before} ${phrase} ${after}`)).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});

const hat = { name: "hat", values: ["none", "cap", "top hat"], phrases: ["no hat", "cap", "top hat"] };
const eyes = { name: "eyes", values: [1, 3], phrases: ["one eye", "three eyes"] };

describe("named attributes", () => {
  it("take a classifier's own words, and its values where it has none", () => {
    const config = {
      image_size: 64,
      layers: [],
      factors: { hat: ["none", "cap", "top hat"], eyes: [1, 3] },
      words: { hat: { none: "no hat" }, eyes: { "1": "one eye", "3": "three eyes" } },
      regress: [],
    };
    expect(attributesOf({ config })).toEqual([hat, eyes]);
  });

  it("have the value whose phrase the prompt holds", () => {
    expect(attributeFinder([hat, eyes])("a fox with three eyes and no hat")).toEqual({ hat: "none", eyes: 3 });
    expect(attributeFinder([hat, eyes])("a fox")).toEqual({});
  });

  it("have the first of several values, and of two that begin together the longer one", () => {
    const ears = { name: "ears", values: ["cat", "cat ears", "dog"], phrases: ["cat", "cat ears", "dog"] };
    expect(attributeFinder([ears])("with cat ears")).toEqual({ ears: "cat ears" });
    expect(attributeFinder([ears])("a dog and a cat")).toEqual({ ears: "dog" });
  });
});

describe("what images show", () => {
  const images = [
    { hat: "cap", eyes: 1 },
    { hat: "none", eyes: 1 },
    { hat: "cap", eyes: 3 },
    { hat: "none", eyes: 1 },
  ];

  it("has the entropy of the attributes that are free, in nats", () => {
    // Hats 2 : 2 → ln 2; eyes 3 : 1 → −(¾ ln ¾ + ¼ ln ¼).
    const ofEyes = -(0.75 * Math.log(0.75) + 0.25 * Math.log(0.25));
    expect(freeEntropy(images, freeAttributes(["hat", "eyes"], {}))).toBeCloseTo(Math.LN2 + ofEyes, 12);
    expect(freeEntropy(images, freeAttributes(["hat", "eyes"], { hat: "cap" }))).toBeCloseTo(ofEyes, 12);
    expect(freeEntropy(images, freeAttributes(["hat", "eyes"], { hat: "cap", eyes: 1 }))).toBe(0);
    expect(largestEntropy([hat, eyes])).toBeCloseTo(Math.log(3) + Math.log(2), 12);
  });

  it("has an accuracy for each attribute that is named", () => {
    expect(attributeAccuracy(images, { hat: "cap" })).toEqual([1, 0, 1, 0]);
    expect(attributeAccuracy(images, { hat: "cap", eyes: 1 })).toEqual([1, 1, 0, 1, 1, 0, 0, 1]);
    expect(attributeAccuracy(images, {})).toEqual([]);
  });
});
