import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { openCheckpoint } from "../../src/checkpoint/node/index.js";
import { temporaryFolder } from "../support/folder.js";

/** A diffusers folder of configs only. */
function folderWith(unet: object): string {
  const root = temporaryFolder();
  mkdirSync(path.join(root, "unet"));
  const write = (name: string, value: object) => writeFileSync(path.join(root, name), JSON.stringify(value));
  write("model_index.json", {
    _class_name: "StableDiffusionPipeline",
    unet: ["diffusers", "UNet2DConditionModel"],
  });
  write("unet/config.json", { _class_name: "UNet2DConditionModel", ...unet });
  return root;
}

describe("the family of a diffusers folder", () => {
  it.each([
    [768, "sd1"],
    [1024, "sd2"],
    [[768, 768, 768, 768], "sd1"],
    [[1024, 1024, 1024, 1024], "sd2"],
    [[1024], "sd2"],
    [[], "sd1"],
    [undefined, "sd1"],
  ])("follows from cross_attention_dim = %j", async (width, family) => {
    const opened = await openCheckpoint(folderWith({ cross_attention_dim: width }));
    expect(opened.family).toBe(family);
  });

  it("names the width of the text, also where the config has it for each block", async () => {
    const { recognised } = await openCheckpoint(folderWith({ cross_attention_dim: [1024, 1024] }));
    expect(recognised.because.join()).toContain("1024");
  });

  it("is not told without the config of a part whose folder is there: the file is named", async () => {
    const folder = folderWith({});
    rmSync(path.join(folder, "unet/config.json"));
    const file = path.join(folder, "unet/config.json");
    await expect(openCheckpoint(folder)).rejects.toMatchObject({ file, problem: "there is no such file" });
  });
});
