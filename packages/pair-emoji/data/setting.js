// What the training programs have to know of these pictures (pair/setting.py): attributes and their words, prompts that name one value,
// and the numbers of setting.json.
import { readFileSync } from "node:fs";
import { article, NOUNS, TONES } from "./captions.js";
import { HOUSES } from "./houses.js";

const mapped = (entries, of) => Object.fromEntries(entries.map(([key, value]) => [key, of(value)]));

export function setting() {
  const houses = Object.entries(HOUSES);
  const nouns = Object.entries(NOUNS);
  const tones = TONES.map((tone) => [tone, tone]);
  return {
    ...JSON.parse(readFileSync(new URL("./setting.json", import.meta.url), "utf8")),
    factors: {
      house: Object.keys(HOUSES),
      subgroup: Object.keys(NOUNS),
      tone: ["none", ...TONES],
      gender: ["none", "person", "woman", "man"],
    },
    words: {
      house: mapped(houses, ({ style }) => `${style}'s style`),
      subgroup: mapped(nouns, ([noun]) => noun),
      tone: mapped(tones, (tone) => `${tone} skin`),
      gender: { person: "" }, // "a person" is the general noun, and leaves gender open
    },
    prompts: {
      house: mapped(houses, ({ style }) => `an emoji in ${style}'s style`),
      subgroup: mapped(nouns, ([noun]) => article(noun)),
      tone: mapped(tones, (tone) => `a person with ${tone} skin`),
      gender: { woman: "a woman", man: "a man" },
    },
  };
}
