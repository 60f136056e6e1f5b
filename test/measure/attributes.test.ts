import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { FileError } from "../../src/errors.js";
import { attributeFinder } from "../../src/evaluation/index.js";
import { embeddedAttributes, readAttributes } from "../../src/measure/attributes.js";
import { temporaryFolder } from "../support/folder.js";

function read(value: unknown) {
  const file = path.join(temporaryFolder(), "attributes.json");
  writeFileSync(file, JSON.stringify(value));
  return readAttributes(file);
}

describe("a file of attributes", () => {
  it("has a text and a phrase for each value", async () => {
    const eyes = {
      template: "a fox with {}, {}",
      values: ["none", "1"],
      texts: { none: "a fox" },
      words: { none: "blind" },
    };
    expect(await read({ hat: ["cap", "crown"], eyes })).toEqual([
      {
        name: "hat",
        values: ["cap", "crown"],
        phrases: [["cap"], ["crown"]],
        texts: ["a picture of cap", "a picture of crown"],
      },
      { name: "eyes", values: ["none", "1"], phrases: [["blind"], ["1"]], texts: ["a fox", "a fox with 1, 1"] },
    ]);
  });

  it.each([[{}], [{ hat: ["cap"] }], [{ hat: { template: "no place", values: ["a", "b"] } }], [[]]])(
    "refuses %j",
    async (value) => {
      await expect(read(value)).rejects.toThrow(FileError);
    },
  );

  it("ships for the embedded world, whose prompts also name what is missing", async () => {
    const attributes = await embeddedAttributes();
    expect(attributeFinder(attributes)("a red cartoon character wearing no hat and with no extras")).toEqual({
      color: "red",
      hat: "none",
      extra: "none",
    });
  });
});
