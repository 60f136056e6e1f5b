import { describe, expect, it } from "vitest";
import { openSomewhere, unknownNouns } from "../../src/measure/attribute-request.js";
import { readAttributes } from "../../src/measure/attributes.js";

const names = (of: readonly { readonly name: string }[]) => of.map((a) => a.name);

describe("the bundled attributes by noun", async () => {
  const all = await readAttributes("auto");
  const openIn = (...prompts: string[]) => names(openSomewhere(all, prompts));

  it("have three to six attributes for each class, of two to six values, each with its own text", () => {
    const kinds = [...new Set(names(all).map((name) => name.split(".")[0]))];
    expect(kinds).toEqual(["person", "animal", "vehicle", "building", "food", "landscape", "object"]);
    for (const kind of kinds) {
      const own = all.filter((a) => a.name.startsWith(`${kind}.`));
      expect(own.length, kind).toBeGreaterThanOrEqual(3);
      expect(own.length, kind).toBeLessThanOrEqual(6);
      for (const { name, values, texts } of own) {
        expect(values.length, name).toBeLessThanOrEqual(6);
        expect(new Set(texts).size, name).toBe(values.length);
      }
    }
    // No noun belongs to two classes, except where the longer one or the first in the prompt decides.
    const nouns = [...new Set(all.map((a) => a.nouns ?? []))].flat();
    expect(nouns.filter((noun, i) => nouns.indexOf(noun) !== i)).toEqual([]);
  });

  it.each([
    ["a firefighter", ["person.age", "person.gender", "person.hair", "person.view", "person.place"]],
    ["an old woman with red hair in a garden", ["person.view"]],
    ["a black dog running in front of a house", ["animal.view", "animal.place"]],
    ["a hot dog on a plate", ["food.view", "food.background"]],
    ["an empty city street at night in the rain", ["landscape.season"]],
    ["a mountain lake", ["landscape.season", "landscape.light", "landscape.weather", "landscape.people"]],
    ["liberty", []],
  ])("that %j leaves open are %j", (prompt, expected) => {
    expect(openIn(prompt)).toEqual(expected);
  });

  it("are those that any of several prompts leaves open, and prompts without a known noun are named", () => {
    expect(openIn("a red car", "a yellow truck at night")).toEqual(["vehicle.view", "vehicle.age", "vehicle.light"]);
    expect(unknownNouns(all, ["a dog", "liberty"])).toEqual([
      expect.stringMatching(/^No attributes for "liberty": .*--attributes FILE/),
    ]);
    expect(unknownNouns(all, ["a dog"])).toEqual([]);
  });
});
