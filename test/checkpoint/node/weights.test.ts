import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { readFloats, safetensors } from "../../../src/checkpoint/index.js";
import { openCheckpoint, openComponentWeights, openUNet } from "../../../src/checkpoint/node/index.js";
import { FileError } from "../../../src/errors.js";
import { createRng } from "../../../src/tensor/index.js";
import { temporaryFolder } from "../../support/folder.js";

const one = safetensors({ "a.weight": createRng(1).randn([2, 3]) });
const two = safetensors({ "b.weight": createRng(2).randn([4]) });
const stem = "diffusion_pytorch_model";

function folderWith(files: Record<string, Uint8Array | string>): string {
  const folder = temporaryFolder();
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), content);
  }
  return folder;
}

describe("weights of a component", () => {
  it("come from shards with an index", async () => {
    const map = { "a.weight": `${stem}-1.safetensors`, "b.weight": `${stem}-2.safetensors` };
    for (const name of [
      `${stem}.safetensors.index.json`,
      `${stem}.safetensors.index.fp16.json`,
      `${stem}.fp16.safetensors.index.json`,
    ]) {
      const folder = folderWith({
        [name]: JSON.stringify({ metadata: {}, weight_map: map }),
        [`${stem}-1.safetensors`]: one,
        [`${stem}-2.safetensors`]: two,
      });
      const { weights } = await openComponentWeights(folder, stem);
      expect([...weights.keys()]).toEqual(["a.weight", "b.weight"]);
    }
  });

  it("come from the fp16 variant where only that is there", async () => {
    const folder = folderWith({ [`${stem}.fp16.safetensors`]: one });
    expect((await openComponentWeights(folder, stem)).weights.size).toBe(1);
  });

  it("are followed through the symlinks of a Hub cache to where they lie", async () => {
    const folder = folderWith({ "blobs/0f": one, "snapshots/x/keep": "" });
    symlinkSync("../../blobs/0f", path.join(folder, "snapshots/x", `${stem}.safetensors`));
    const weight = (await openComponentWeights(path.join(folder, "snapshots/x"), stem)).weights.get("a.weight");
    expect(weight?.bytes.source.path).toMatch(/blobs.0f$/);
    if (weight) expect((await readFloats(weight)).length).toBe(6);
  });

  it.each<[string, Record<string, string>, RegExp]>([
    ["no weights", { "notes.txt": "" }, /has no weights .*it has: notes.txt/],
    [
      "an index that leaves the folder",
      { [`${stem}.safetensors.index.json`]: JSON.stringify({ weight_map: { a: "../x.safetensors" } }) },
      /\.\.\/x\.safetensors, which is outside its folder/,
    ],
    [
      "a shard that is missing",
      { [`${stem}.safetensors.index.json`]: JSON.stringify({ weight_map: { a: "x.safetensors" } }) },
      /names 1 file, of which 1 is missing: x\.safetensors; fetch/,
    ],
    ["an index that is not JSON", { [`${stem}.safetensors.index.json`]: "{" }, /is not JSON/],
  ])("refuses %s", async (_, files, message) => {
    const failure = await openComponentWeights(folderWith(files), stem).catch((e: unknown) => e);
    expect(failure).toBeInstanceOf(FileError);
    expect(String(failure)).toMatch(message);
  });
});

describe("folders", () => {
  it.each<[string, Record<string, string>, RegExp]>([
    ["a folder without model_index.json", { "readme.txt": "" }, /model_index\.json is missing; it has: readme\.txt/],
    ["a model_index.json that is not JSON", { "model_index.json": "{ nope" }, /model_index\.json: is not JSON/],
    [
      "a component name that leaves the folder",
      { "model_index.json": '{"../x": ["diffusers", "UNet2DConditionModel"]}' },
      /not the name of a component/,
    ],
    [
      "a scheduler that is not there",
      { "model_index.json": '{"scheduler": ["diffusers", "DDIMScheduler"]}' },
      /scheduler_config\.json: there is no such file/,
    ],
  ])("refuses %s", async (_, files, message) => {
    await expect(openCheckpoint(folderWith(files))).rejects.toThrow(message);
  });

  it("takes a LoRA in the place of a UNet for the network it stands on", async () => {
    const lora = safetensors({ "unet.mid_block.to_q.lora_A.weight": createRng(1).randn([2, 3]) });
    const folder = folderWith({
      "lora.safetensors": lora,
      "model_index.json": "{}",
      "unet/config.json": "{}",
    });
    const like = {
      name: "unet",
      className: "UNet2DConditionModel",
      folder,
      configFile: "",
      config: {},
      tokenizer: null,
      weights: () => Promise.reject(new Error("not asked for")),
    };
    const opened = await openUNet(path.join(folder, "lora.safetensors"), like);
    expect(opened).toMatchObject({ lora: true, scheduler: null });
    expect(opened.unet).toBe(like);
  });
});
