import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { PAIRS, pairNamed } from "../../src/catalogue/index.js";
import { readPairs } from "../../src/catalogue/node/index.js";
import { installedPairs } from "../../src/catalogue/node/packages.js";
import { FileError } from "../../src/errors.js";
import { temporaryFolder } from "../support/folder.js";

function written(value: unknown): string {
  const file = path.join(temporaryFolder(), "pairs.json");
  writeFileSync(file, typeof value === "string" ? value : JSON.stringify(value));
  return file;
}

describe("a pair file", () => {
  it("can hold every built-in row, field for field", async () => {
    const rows = PAIRS.map(({ trial: _, package: __, ...row }) => row);
    expect((await readPairs(written(rows))).filter((row) => row.package === null)).toEqual(
      rows.map((row) => ({ ...row, package: null, trial: null })),
    );
  });

  it("needs a name, a base and a distilled model", async () => {
    const file = written([{ name: "mine", base: "a/b", distilled: "c/d" }]);
    expect(pairNamed("mine", await readPairs(file))).toEqual({
      name: "mine",
      note: "",
      promptNote: "",
      about: "",
      family: "sdxl",
      base: "a/b",
      distilled: "c/d",
      clip: null,
      judge: null,
      names: [],
      sha256: [],
      scheduler: null,
      guidanceFeatures: null,
      parameters: null,
      sampling: { base: { guidance: 5 }, distilled: { guidance: 0 } },
      size: null,
      licence: "not stated",
      source: file,
      prompts: [],
      package: null,
      trial: null,
    });
  });

  it("has no defaults for experiments", async () => {
    const file = written([{ name: "mine", base: "a/b", distilled: "c/d", trial: null }]);
    await expect(readPairs(file)).rejects.toMatchObject({ problem: expect.stringMatching(/trial/) });
  });

  it("adds rows of a user, and replaces built-in rows of the same name", async () => {
    const file = written([
      { name: "mine", base: "./base", distilled: "owner/name/file.safetensors", sampling: { distilled: { steps: 6 } } },
      { name: "sd-turbo", base: "/somewhere", distilled: "../other" },
    ]);
    const rows = await readPairs(file);
    expect(rows.length).toBe(PAIRS.length + (await installedPairs()).length + 1);
    expect(pairNamed("mine", rows)).toMatchObject({
      base: path.join(path.dirname(file), "base"),
      distilled: "owner/name/file.safetensors",
      sampling: { base: { guidance: 5 }, distilled: { steps: 6, guidance: 0 } },
    });
    expect(pairNamed("sd-turbo", rows)).toMatchObject({
      base: "/somewhere",
      distilled: path.join(path.dirname(file), "..", "other"),
    });
  });

  it.each([
    ["not JSON", "[{]", /is not JSON/],
    ["not a list", { name: "x" }, /not a list of pairs: the whole/],
    ["a field that is none", [{ name: "x", base: "a", distilled: "b", sheduler: "c" }], /0: .*sheduler/],
    [
      "a value out of range",
      [{ name: "x", base: "a", distilled: "b", sampling: { distilled: { eta: 2 } } }],
      /0\.sampling\.distilled\.eta/,
    ],
    ["no base", [{ name: "x", distilled: "b" }], /0\.base/],
    [
      "one name twice",
      [
        { name: "x", base: "a", distilled: "b" },
        { name: "x", base: "a", distilled: "b" },
      ],
      /twice/,
    ],
  ])("with %s is refused, naming the row and field", async (_, value, problem) => {
    const file = written(value);
    const error = await readPairs(file).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(FileError);
    expect(error).toMatchObject({ file, problem: expect.stringMatching(problem) });
  });

  it("that is not there is refused", async () => {
    await expect(readPairs("/nowhere/pairs.json")).rejects.toThrow(FileError);
  });
});
