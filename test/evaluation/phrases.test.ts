import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Attribute, attributeFinder, attributesOf, phrasesFinder, phrasesOf } from "../../src/evaluation/index.js";
import { csvRows } from "../../src/files/index.js";
import { parseClassifierConfig } from "../../src/models/index.js";

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
    // Absences, in every form.
    ["no hat", "a fox wearing no hat", 14],
    ["no hat", "a fox without a hat", 6],
    ["no hat", "a fox without any hats", 6],
    ["no hat", "a fox with neither horns nor a hat", 11],
    ["no hat", "a hatless fox", 2],
    ["no hat", "a hat-less fox", 2],
    ["no hat", "a fox, not wearing a hat", 7],
    ["no extras", "with no extras", 5],
    ["no extras", "without extras", 0],
    ["no extras", "without a hat or extras", 0],
    ["no hat", "a fox in a hat", -1],
    ["no hat", "no hatchet", -1],
    ["no hat", "a piano hat", -1],
    ["no glass", "no glasses", -1],
    // A negated value is not named.
    ["crown", "a fox without a crown", -1],
    ["crown", "no crown, then a crown", 17],
    ["crown", "a casino crown", 9],
    ["", "anything", -1],
    [" ", "a b", -1],
  ])("%j in %j begins at %i", (phrase, prompt, at) => {
    expect(phrasesFinder([phrase])(prompt)?.at ?? -1).toBe(at);
  });

  it("is found wherever it stands between spaces, whatever its characters", () => {
    const word = fc
      .string({ unit: "grapheme", minLength: 1 })
      .filter((s) => s.trim() !== "" && !/^[\s_-]|[\s_-]$/.test(s));
    fc.assert(
      fc.property(word, word, word, (before, phrase, after) => {
        expect(phrasesFinder([phrase])(`${before} ${phrase} ${after}`)).not.toBeNull();
      }),
    );
  });
});

const hat: Attribute = {
  name: "hat",
  values: ["none", "cap", "top hat"],
  phrases: [["no hat"], ["cap", "baseball cap"], ["top hat"]],
};
const eyes: Attribute = { name: "eyes", values: [1, 3], phrases: [["one eye"], ["three eyes"]] };

describe("named attributes", () => {
  it("take a classifier's own words, and its values where it has none", () => {
    const config = {
      image_size: 64,
      layers: [],
      factors: { hat: ["none", "cap"], eyes: [1, 3] },
      words: { eyes: { "1": "one eye", "3": "three eyes" } },
      regress: [],
    };
    expect(attributesOf({ config })).toEqual([
      { name: "hat", values: ["none", "cap"], phrases: [["no hat"], ["cap"]] },
      eyes,
    ]);
  });

  it("have the value whose phrase the prompt holds", () => {
    expect(attributeFinder([hat, eyes])("a fox with three eyes and no hat")).toEqual({ hat: "none", eyes: 3 });
    expect(attributeFinder([hat, eyes])("a fox without a cap")).toEqual({});
    expect(attributeFinder([hat])("a fox in a baseball cap, without a top hat")).toEqual({ hat: "cap" });
  });

  it("have the first of several values, and of two that begin together the longer one", () => {
    const values = ["cat", "cat ears", "dog"];
    const ears = { name: "ears", values, phrases: values.map((v) => phrasesOf("ears", v)) };
    expect(attributeFinder([ears])("with cat ears")).toEqual({ ears: "cat ears" });
    expect(attributeFinder([ears])("a dog and a cat")).toEqual({ ears: "dog" });
  });

  it("are read by one function in all shipped prompts, which say absences of two attributes", () => {
    const file = new URL("../../embedded/judge/config.json", import.meta.url).pathname;
    const config = parseClassifierConfig({ file, config: JSON.parse(readFileSync(file, "utf8")) });
    const find = attributeFinder(attributesOf({ config }));
    const list = new URL("../../embedded/world/prompts.csv", import.meta.url).pathname;
    const [head = [], ...rows] = csvRows(list, readFileSync(list, "utf8"));
    const prompts = rows.map((row) => row[head.indexOf("prompt")] ?? "");
    const absent = prompts.filter((p) => /\b(no|without)\b/.test(p));
    expect(absent.length).toBeGreaterThan(500);
    for (const prompt of absent) {
      const named = find(prompt);
      if (/(no|without) hat/.test(prompt)) expect(named["hat"], prompt).toBe("none");
      if (/(no|without) extras/.test(prompt)) expect(named["extra"], prompt).toBe("none");
    }
    // The same prompts in other words.
    for (const prompt of absent) {
      const other = prompt.replace("with no extras", "without any extras").replace("wearing no hat", "without a hat");
      expect(find(other), other).toEqual(find(prompt));
    }
  });
});
