import { describe, expect, it } from "vitest";
import { attributesForPrompt, openAttributes, phrasesOf } from "../../src/evaluation/index.js";

const attribute = (name: string, values: readonly string[], nouns?: readonly string[]) => ({
  name,
  values,
  phrases: values.map((v) => phrasesOf(name, v)),
  ...(nouns && { nouns }),
});
const animal = ["dog", "fox", "fly"];
const food = ["hot dog", "soup"];
const all = [
  attribute("light", ["day", "night"]),
  attribute("animal.coat", ["black", "white"], animal),
  attribute("animal.pose", ["sitting", "running"], animal),
  attribute("food.dish", ["plate", "bowl"], food),
];
const names = (of: readonly { readonly name: string }[]) => of.map((a) => a.name);

describe("the attributes of a prompt", () => {
  it.each([
    ["a dog", ["light", "animal.coat", "animal.pose"]],
    ["two foxes in the snow", ["light", "animal.coat", "animal.pose"]],
    ["flies", ["light", "animal.coat", "animal.pose"]],
    ["a hot dog", ["light", "food.dish"]],
    ["soup for a dog", ["light", "food.dish"]],
    ["a dogma", ["light"]],
  ])("of %j are %j", (prompt, expected) => {
    expect(names(attributesForPrompt(all)(prompt))).toEqual(expected);
  });

  it("are open where the prompt does not name them", () => {
    expect(names(openAttributes(all)("a black dog at night"))).toEqual(["animal.pose"]);
    expect(names(openAttributes(all)("a bowl of soup"))).toEqual(["light"]);
  });
});
