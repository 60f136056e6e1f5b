import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { FileError } from "../../src/errors.js";
import { promptFor, readPrompts } from "../../src/measure/prompts.js";
import { temporaryFolder } from "../support/folder.js";

function list(name: string, content: string) {
  const file = path.join(temporaryFolder(), name);
  writeFileSync(file, content);
  return readPrompts(file);
}

describe("lists of prompts", () => {
  it("finds images by name, and by the number their name begins with", async () => {
    const byName = await list("p.csv", 'filename,seed,caption\nx.png,1,"a fox, red"\nsub/y.png,2,an owl\n');
    expect(promptFor(byName, "x.png")).toBe("a fox, red");
    expect(promptFor(byName, "deep/x.png")).toBe("a fox, red");
    expect(promptFor(byName, "sub/y.png")).toBe("an owl");
    expect(promptFor(byName, "z.png")).toBeNull();
    const coco = await list("coco_30k.csv", "case_number,prompt,evaluation_seed\n12,a fox,5\n");
    expect(promptFor(coco, "12_0.png")).toBe("a fox");
    expect(promptFor(coco, "120.png")).toBeNull();
  });

  it("reads JSON in three forms and lines of text", async () => {
    for (const form of [{ "x.png": "a fox" }, { "a fox": ["x.png"] }, [{ file: "x.png", prompt: "a fox" }]]) {
      expect(promptFor(await list("p.json", JSON.stringify(form)), "x.png")).toBe("a fox");
    }
    expect(promptFor(await list("p.txt", "a fox\n\nan owl\n"), "1-7.png")).toBe("an owl");
  });

  it.each([
    ["", /row 2: case_number is empty; expected an integer/],
    ["  ", /row 2: case_number is empty/],
    ["x1", /row 2: case_number is "x1"/],
    ["-1", /row 2: case_number is "-1"/],
  ])("refuses the number '%s' of an image, which is not 0", async (number, message) => {
    await expect(list("p.csv", `case_number,prompt\n0,a fox\n${number},an owl\n`)).rejects.toThrow(message);
  });

  it("says what is missing", async () => {
    await expect(list("p.csv", "name,words\nx,y\n")).rejects.toThrow(/it has: name, words/);
    await expect(list("p.json", "[1]")).rejects.toThrow(FileError);
    await expect(list("p.csv", 'file,prompt\nx.png,"a fox\ny.png,an owl\n')).rejects.toThrow(FileError);
    await expect(list("p.yaml", "")).rejects.toThrow(/\.csv, \.json or \.txt/);
  });
});
