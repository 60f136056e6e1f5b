import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { generate } from "../../src/generate/index.js";
import { openPair } from "../../src/open/index.js";
import { temporaryFolder } from "../support/folder.js";
import { farthest } from "../support/parity.js";

const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
const pair = await openPair({}, { threads: 1 });
afterAll(() => pair.close());

/** Final latents of the embedded base with a LoRA. */
async function latentsWith(ref: string): Promise<Float32Array> {
  const request = {
    mode: "base",
    prompts: ["a cartoon character"],
    steps: 2,
    seeds: [0],
    adapters: [{ ref }],
  } as const;
  for await (const event of generate(pair, request)) if (event.type === "image") return event.latents.data;
  throw new Error("no image");
}

describe("a LoRA as trainers and tools write it gives the latents of the same one in another form", () => {
  const kohya = fixture("stability-names-under-unet/the-same.safetensors");
  it.each([
    ["Stability's names under unet.", fixture("stability-names-under-unet/trained.safetensors"), kohya],
    [
      "trained norms of LyCORIS",
      fixture("norm-layers/trained.safetensors"),
      fixture("norm-layers/the-same.safetensors"),
    ],
    [
      "the folder that PEFT saved, with its strength in the config",
      fixture("peft-folder-strength/adapter"),
      fixture("peft-folder-strength/same-as-one-file.safetensors"),
    ],
    [
      "the file in the folder that PEFT saved",
      fixture("peft-folder-strength/adapter/adapter_model.safetensors"),
      fixture("peft-folder-strength/same-as-one-file.safetensors"),
    ],
    ["float8", fixture("eight-bit-floats/small.safetensors"), fixture("eight-bit-floats/the-same.safetensors")],
    ["a checkpoint of PyTorch Lightning with a class and scores in it", fixture("trainer-ckpt/trained.ckpt"), kohya],
    ["weights one dictionary deeper", fixture("weights-in-a-drawer/trained.pt"), kohya],
  ])("%s", async (_, actual, expected) => {
    expect(farthest(await latentsWith(actual), await latentsWith(expected))).toBeLessThan(1e-6);
  });
});

describe("the folder that PEFT saved", () => {
  const copy = () => {
    const folder = path.join(temporaryFolder(), "adapter");
    cpSync(fixture("peft-folder-strength/adapter"), folder, { recursive: true });
    return { folder, config: path.join(folder, "adapter_config.json") };
  };

  it("is refused without its config, and with one that cannot be read", async () => {
    const { folder, config } = copy();
    writeFileSync(config, "{lora_alpha: 8}");
    await expect(pair.openAdapter(folder)).rejects.toMatchObject({ exitCode: 3, file: config });
    rmSync(config);
    await expect(pair.openAdapter(folder)).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringContaining("adapter_config.json is missing"),
    });
  });

  it("is opened again when its config has changed", async () => {
    const { folder, config } = copy();
    const alphaOf = async () => {
      const delta = (await pair.openAdapter(folder)).targets[0]?.delta;
      return delta && "alpha" in delta ? delta.alpha : undefined;
    };
    expect(await alphaOf()).toBe(8);
    writeFileSync(config, readFileSync(config, "utf8").replace('"lora_alpha": 8', '"lora_alpha": 16'));
    expect(await alphaOf()).toBe(16);
  });
});
