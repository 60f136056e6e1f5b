import { describe, expect, it } from "vitest";
import { z } from "zod";

/** A module of the pair's data scripts, which are plain JavaScript. */
const script = (name: string): Promise<unknown> =>
  import(new URL(`../../packages/pair-emoji/data/${name}.js`, import.meta.url).href);

const text = z.string();
const one = z.function({ input: [text], output: text });
const families = z.instanceof(Map);
const { article, byFamily, captions, family, genderOf, neutralOf } = z
  .object({
    article: one,
    family: one,
    byFamily: z.function({ input: [z.array(text)], output: families }),
    genderOf: z.function({ input: [text, families], output: text }),
    neutralOf: z.function({ input: [text, families], output: text }),
    captions: z.function({
      input: [z.object({ house: text, subgroup: text, parent: text, tone: text, labels: families })],
      output: z.array(text),
    }),
  })
  .parse(await script("captions"));
const words = z.record(text, text);
const { setting } = z
  .object({
    setting: z.function({
      input: [],
      output: z.object({
        words: z.object({ house: words, subgroup: words }),
        prompts: z.object({ house: words, subgroup: words }),
        factors: z.object({ subgroup: z.array(text) }),
      }),
    }),
  })
  .parse(await script("setting"));

const NAMES = [
  "firefighter",
  "man firefighter",
  "woman firefighter",
  "person running",
  "man running",
  "woman running",
  "woman and man holding hands",
  "fox",
];
const labels = byFamily(NAMES);

describe("captions of emoji", () => {
  it("say a picture at four levels, with tone and style free or said in half of the captions each", () => {
    const all = captions({
      house: "noto",
      subgroup: "person-role",
      parent: "woman firefighter",
      tone: "medium dark",
      labels,
    });
    // 6 subjects (the subgroup's noun twice) × 2 for the tone × 2 for the style.
    expect(all.length).toBe(24);
    const share = (part: string) => all.filter((caption) => caption.includes(part)).length / all.length;
    expect(share("with medium dark skin")).toBe(1 / 2);
    expect(share("in Noto's style")).toBe(1 / 2);
    expect(share("a person with a role")).toBe(1 / 3);
    expect(share("woman firefighter")).toBe(1 / 6);
    expect(share("firefighter")).toBe(1 / 3);
    expect(all).toContain("a firefighter in Noto's style");
    expect(all).toContain("an emoji with medium dark skin");
  });

  it("say no tone where a picture has none", () => {
    const all = captions({ house: "twemoji", subgroup: "animal-mammal", parent: "fox", tone: "none", labels });
    expect(new Set(all)).toEqual(
      new Set(
        ["an emoji", "an animal", "a mammal", "a fox"].flatMap((subject) => [subject, `${subject} in Twemoji's style`]),
      ),
    );
  });

  it("find gender only where a name exists in all three forms", () => {
    expect(NAMES.map((name) => genderOf(name, labels))).toEqual([
      "person",
      "man",
      "woman",
      "person",
      "man",
      "woman",
      "none",
      "none",
    ]);
    expect(neutralOf("woman running", labels)).toBe("person running");
    expect(family("man firefighter")).toBe(family("firefighter"));
  });

  it.each([
    ["owl", "an owl"],
    ["unicorn", "a unicorn"],
    ["grapes", "grapes"],
    ["cactus", "a cactus"],
    ["fork and knife", "fork and knife"],
    ["face with a tongue", "a face with a tongue"],
    ["food", "food"],
  ])("%s takes its article", (noun, expected) => {
    expect(article(noun)).toBe(expected);
  });
});

it("the attributes of the classifier can be named by captions", () => {
  const { words, factors, prompts } = setting();
  for (const [house, word] of Object.entries(words.house)) expect(prompts.house[house]).toContain(word);
  for (const subgroup of factors.subgroup) expect(prompts.subgroup[subgroup]).toContain(words.subgroup[subgroup]);
  // No word is a part of another's, or a prompt that names one would be read as naming both.
  const all = Object.values(words.house);
  for (const word of all) expect(all.filter((other) => other.includes(word))).toEqual([word]);
});
