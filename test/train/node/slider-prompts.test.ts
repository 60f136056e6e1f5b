import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { withAttributes } from "../../../src/train/index.js";
import { readSliderPrompts } from "../../../src/train/node/index.js";
import { temporaryFolder } from "../../support/folder.js";

function file(text: string): string {
  const name = path.join(temporaryFolder(), "prompts.yaml");
  writeFileSync(name, text);
  return name;
}

const ROWS = `- target: "male person" # what word for erasing the positive concept from
  positive: "male person, very old"
  unconditional: "male person, very young"
  neutral: "person"
  action: "enhance"
  guidance_scale: 4
  resolution: 512
  dynamic_resolution: false
  batch_size: 2
- target: "a tree"
`;

describe("readSliderPrompts", () => {
  it("reads rows, with the trainer's defaults for keys that are left out", () => {
    expect(readSliderPrompts(file(ROWS))).toEqual([
      {
        ...{ target: "male person", positive: "male person, very old", negative: "male person, very young" },
        ...{ neutral: "person", action: "enhance", strength: 4, batch: 2, resolution: 512 },
      },
      {
        ...{ target: "a tree", positive: "a tree", negative: "", neutral: "" },
        ...{ action: "erase", strength: 1, batch: 1, resolution: 512 },
      },
    ]);
  });

  it("names keys without effect", () => {
    const keys: string[] = [];
    readSliderPrompts(file("- {target: a, dynamic_resolution: true, dynamic_crops: true}"), (key) => keys.push(key));
    expect(keys).toEqual(["dynamic_resolution", "dynamic_crops"]);
  });

  it.each([
    ["- {target: a, guidance: 4}", /prompts\.yaml: "guidance" is not a field of 0/],
    ["- {positive: a}", /prompts\.yaml: 0\.target is missing/],
    ["- {target: a, action: add}", /0\.action is "add"/],
    ["target: a", /prompts\.yaml is \{"target":"a"\}; expected a list/],
    ["- [", /is no YAML/],
  ])("refuses %s in a line", (text, said) => {
    expect(() => readSliderPrompts(file(text))).toThrow(said);
  });

  it("refuses a file that is not there", () => {
    expect(() => readSliderPrompts("none.yaml")).toThrow("none.yaml: there is no such file");
  });
});

describe("withAttributes", () => {
  it("puts each attribute before all prompts of each row", () => {
    const rows = readSliderPrompts(file(ROWS));
    const found = withAttributes(rows, ["tall", "small"]);
    expect(found.map((row) => row.target)).toEqual([
      "tall male person",
      "small male person",
      "tall a tree",
      "small a tree",
    ]);
    expect(found[1]).toMatchObject({ negative: "small male person, very young", neutral: "small person", strength: 4 });
    expect(withAttributes(rows, [])).toBe(rows);
  });
});
