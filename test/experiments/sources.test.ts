import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { FileError, RequestError } from "../../src/errors.js";
import { readPromptSeeds } from "../../src/experiments/sources.js";
import { temporaryFolder } from "../support/folder.js";

const folder = temporaryFolder();

function list(name: string, content: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, content);
  return file;
}

describe("lists of prompts", () => {
  it("have a seed for each prompt of a CSV", async () => {
    const file = list(
      "coco.csv",
      'case_number,prompt,evaluation_seed\n0,"a red, smiling fox",5\n1,an owl,4294967295\n2, ,7\n',
    );
    expect(await readPromptSeeds(file)).toEqual([
      { prompt: "a red, smiling fox", seed: 5 },
      { prompt: "an owl", seed: 4294967295 },
    ]);
  });

  it("begin at seed 0 without one", async () => {
    expect(await readPromptSeeds(list("p.csv", "Prompt\na fox\n"))).toEqual([{ prompt: "a fox", seed: 0 }]);
    expect(await readPromptSeeds(list("p.txt", "a fox\r\n\r\n an owl \n"))).toEqual([
      { prompt: "a fox", seed: 0 },
      { prompt: "an owl", seed: 0 },
    ]);
  });

  it.each([
    ["words.csv", "words\na fox\n", FileError],
    ["half.csv", "prompt,evaluation_seed\na fox,1.5\n", FileError],
    ["less.csv", "prompt,evaluation_seed\na fox,-1\n", FileError],
    ["empty.txt", "\n \n", FileError],
    ["list.xlsx", "", RequestError],
  ])("are refused as %s", async (name, content, error) => {
    await expect(readPromptSeeds(list(name, content))).rejects.toThrow(error);
  });

  it("are refused where there is no such file", async () => {
    await expect(readPromptSeeds(path.join(folder, "nowhere.csv"))).rejects.toThrow(FileError);
  });
});
