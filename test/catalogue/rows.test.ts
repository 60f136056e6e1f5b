import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { PAIRS, pairNamed, readPairs } from "../../src/catalogue/index.js";
import { FileError, RequestError } from "../../src/errors.js";

function written(value: unknown): string {
  const file = path.join(mkdtempSync(path.join(tmpdir(), "variegate-")), "pairs.json");
  writeFileSync(file, typeof value === "string" ? value : JSON.stringify(value));
  return file;
}

describe("pairs", () => {
  it("have names of their own", () => {
    const names = PAIRS.map((p) => p.name);
    expect(new Set(names).size).toBe(names.length);
  });

  it("has the embedded pair in three distillations over one base and the same instruments", () => {
    const [full, lora, lcm] = ["embedded", "embedded-lora", "embedded-lcm"].map((name) => pairNamed(name));
    for (const row of [lora, lcm]) {
      expect(row).toMatchObject({ base: full?.base, clip: full?.clip, judge: full?.judge, trial: full?.trial });
    }
    expect(lcm).toMatchObject({
      distilled: "embedded:consistent",
      guidanceFeatures: 64,
      sampling: { distilled: { scheduler: "LCMScheduler", steps: 4, guidance: 5 } },
    });
  });

  it("offers the nearest names for one that is not there", () => {
    expect(() => pairNamed("lightning")).toThrow(/sdxl-lightning-/);
    expect(() => pairNamed("sdxl-dmd3")).toThrow(/nearest are sdxl-dmd2,/);
    expect(() => pairNamed("nothing like it")).toThrow(RequestError);
  });

  it("takes rows of a user's own, which may stand in for a built-in one", async () => {
    const file = written([
      { name: "mine", base: "./base", distilled: "owner/name/file.safetensors", sampling: { distilled: { steps: 6 } } },
      { name: "sd-turbo", base: "/somewhere", distilled: "../other" },
    ]);
    const rows = await readPairs(file);
    expect(rows.length).toBe(PAIRS.length + 1);
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
  ])("refuses a file with %s, saying where", async (_, value, message) => {
    const file = written(value);
    await expect(readPairs(file)).rejects.toThrow(message);
    await expect(readPairs(file)).rejects.toThrow(FileError);
  });

  it("says when the file is not there", async () => {
    await expect(readPairs("/nowhere/pairs.json")).rejects.toThrow(FileError);
  });
});
