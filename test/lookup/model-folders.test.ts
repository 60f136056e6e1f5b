import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { FileError, RequestError } from "../../src/errors.js";
import { CATEGORIES, findModel, listModels, locate, type ModelFolder } from "../../src/lookup/index.js";
import { temporaryFolder } from "../support/folder.js";

/** A folder of empty files; "name -> target" is a link. */
function tree(...files: string[]): string {
  const root = temporaryFolder();
  for (const file of files) {
    const [name = "", target] = file.split(" -> ");
    mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    if (target) symlinkSync(path.resolve(root, target), path.join(root, name));
    else writeFileSync(path.join(root, name), "");
  }
  return root;
}
const comfy = (root: string): ModelFolder[] => [{ kind: "comfy", path: root }];
const names = async (modelFolders: readonly ModelFolder[]) =>
  (await listModels(modelFolders)).map(({ category, name }) => `${category}: ${name}`);

describe("a model folder of ComfyUI", () => {
  const root = tree(
    "models/checkpoints/sd_xl_base_1.0.safetensors",
    "models/checkpoints/SD15/dream.ckpt",
    "models/checkpoints/put_checkpoints_here",
    "models/unet/old.safetensors",
    "models/diffusion_models/new.gguf",
    "models/clip/clip_l.safetensors",
    "models/text_encoders/clip_g.safetensors",
    "models/vae/sdxl_vae.safetensors",
    "models/vae_approx/taesdxl_decoder.pth",
    "models/loras/more detail.safetensors",
    "models/loras/style/more-light.safetensors",
    "models/loras/style/ink.safetensors",
    "models/loras/ink.safetensors",
    "models/embeddings/cat.pt",
    "models/diffusers/mine/model_index.json",
    "models/upscale_models/x4.pth",
    "elsewhere/linked.safetensors",
    "models/loras/link.safetensors -> elsewhere/linked.safetensors",
    "models/loras/circle -> models/loras",
    "models/loras/broken.safetensors -> nowhere",
  );

  it("has a folder for each category, from its root or its models folder", async () => {
    const all = await names(comfy(root));
    expect(all).toEqual([
      "checkpoint: SD15/dream.ckpt",
      "checkpoint: sd_xl_base_1.0.safetensors",
      "unet: new.gguf",
      "unet: old.safetensors",
      "text encoder: clip_g.safetensors",
      "text encoder: clip_l.safetensors",
      "autoencoder: sdxl_vae.safetensors",
      "autoencoder: taesdxl_decoder.pth",
      "adapter: ink.safetensors",
      "adapter: link.safetensors",
      "adapter: more detail.safetensors",
      "adapter: style/ink.safetensors",
      "adapter: style/more-light.safetensors",
      "textual inversion: cat.pt",
      "diffusers: mine",
    ]);
    expect(await names(comfy(path.join(root, "models")))).toEqual(all);
  });

  it.each([
    ["sd_xl_base_1.0.safetensors", "models/checkpoints/sd_xl_base_1.0.safetensors"],
    ["sd_xl_base_1.0", "models/checkpoints/sd_xl_base_1.0.safetensors"],
    ["SD15/dream", "models/checkpoints/SD15/dream.ckpt"],
    ["dream", "models/checkpoints/SD15/dream.ckpt"],
    ["SDXL_V", "models/vae/sdxl_vae.safetensors"],
    ["more d", "models/loras/more detail.safetensors"],
    ["ink", "models/loras/ink.safetensors"],
    ["style/ink.safetensors", "models/loras/style/ink.safetensors"],
    ["style\\ink", "models/loras/style/ink.safetensors"],
    ["loras/ink", "models/loras/ink.safetensors"],
    ["link", "models/loras/link.safetensors"],
    ["mine", "models/diffusers/mine"],
  ])("%s is %s", async (asked, place) => {
    expect((await findModel(comfy(root), asked, CATEGORIES))?.path).toBe(path.join(root, place));
  });

  it("refuses an ambiguous name with its matches", async () => {
    const asked = findModel(comfy(root), "more", ["adapter"]);
    await expect(asked).rejects.toThrow(RequestError);
    await expect(asked).rejects.toThrow(
      /"more" could be loras\/more detail.safetensors or loras\/style\/more-light.safetensors; name one of them/,
    );
  });

  it.each(["../elsewhere/linked", "loras/../../elsewhere/linked.safetensors", "/etc/passwd", "x4", "a"])(
    "%s leads nowhere",
    async (asked) => {
      expect(await findModel(comfy(root), asked, CATEGORIES)).toBeNull();
    },
  );

  it("is searched after the disk and before the package, in the categories of the kind", async () => {
    const lookup = { modelFolders: comfy(root) };
    expect(await locate("dream", "pipeline", lookup)).toBe(path.join(root, "models/checkpoints/SD15/dream.ckpt"));
    expect(await locate("ink", "unet", lookup)).toBe(path.join(root, "models/loras/ink.safetensors"));
    expect(await locate("smile.base", "adapter", lookup)).toMatch(/sliders.smile\.base\.safetensors$/);
    await expect(locate("ink", "pipeline", lookup)).rejects.toMatchObject({
      file: "ink",
      problem: expect.stringMatching(/checkpoint, diffusers, unet/),
    });
  });
});

describe("an extra_model_paths.yaml", () => {
  const shared = tree("a/one.safetensors", "b/two.safetensors", "loras/three.safetensors", "unet/four.safetensors");
  const yaml = (text: string, ...files: string[]) => {
    const root = tree(...files);
    writeFileSync(path.join(root, "extra_model_paths.yaml"), text);
    return root;
  };
  const text = `# comment
mine:
    base_path: ${shared}
    checkpoints: |
        a
        b/
        missing
    custom_nodes: nodes
first:
    is_default: true
    base_path: ${path.relative("/", shared)}/..
    loras: ${shared}/loras
empty:
`;

  it("adds its folders to ComfyUI's, the default ones first", async () => {
    const root = yaml(text, "models/checkpoints/own.safetensors", "models/loras/three.safetensors");
    const all = await listModels(comfy(root));
    expect(all.map((item) => item.name)).toEqual([
      "three.safetensors",
      "own.safetensors",
      "three.safetensors",
      "one.safetensors",
      "two.safetensors",
    ]);
    expect((await findModel(comfy(root), "three", CATEGORIES))?.path).toBe(
      path.join(shared, "loras/three.safetensors"),
    );
  });

  it("may be named itself, with variables, older names and places of its own", async () => {
    process.env["VARIEGATE_TEST_SHARED"] = shared;
    const root = yaml(
      "x:\n  base_path: $VARIEGATE_TEST_SHARED\n  unet: unet\ny:\n  loras: inside\n",
      "inside/five.safetensors",
    );
    expect(await names(comfy(path.join(root, "extra_model_paths.yaml")))).toEqual([
      "unet: four.safetensors",
      "adapter: five.safetensors",
    ]);
  });

  it.each([
    ["a: [", /YAML/],
    ["- a\n- b\n", /groups/],
    ["a:\n  loras: nowhere\n", /ComfyUI.*models\/checkpoints/],
  ])("that says %j is refused", async (broken, problem) => {
    const file = path.join(yaml(broken), "extra_model_paths.yaml");
    const error = await listModels(comfy(file)).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(FileError);
    expect(error).toMatchObject({ file, problem: expect.stringMatching(problem) });
  });
});

describe("a model folder of A1111", () => {
  const root = tree(
    "models/Stable-diffusion/v1-5.safetensors",
    "models/Lora/ink.safetensors",
    "models/LyCORIS/loha.safetensors",
    "models/VAE/vae.pt",
    "models/VAE-approx/taesd.pt",
    "embeddings/cat.pt",
  );

  it("has a folder for each category, from its root or its models folder", async () => {
    const all = await names([{ kind: "a1111", path: root }]);
    expect(all).toEqual([
      "checkpoint: v1-5.safetensors",
      "autoencoder: vae.pt",
      "autoencoder: taesd.pt",
      "adapter: ink.safetensors",
      "adapter: loha.safetensors",
      "textual inversion: cat.pt",
    ]);
    expect(await names([{ kind: "a1111", path: path.join(root, "models") }])).toEqual(all);
  });

  it("is one of several: the first one with a model wins", async () => {
    const other = tree("models/loras/ink.safetensors");
    const both: ModelFolder[] = [
      { kind: "comfy", path: other },
      { kind: "a1111", path: root },
    ];
    expect((await findModel(both, "ink", ["adapter"]))?.path).toBe(path.join(other, "models/loras/ink.safetensors"));
    expect((await findModel(both.toReversed(), "ink", ["adapter"]))?.path).toBe(
      path.join(root, "models/Lora/ink.safetensors"),
    );
  });
});

it.each([
  ["comfy", /ComfyUI.*models\/checkpoints/],
  ["a1111", /A1111.*models\/Stable-diffusion/],
] as const)("another folder is not a model folder of %s", async (kind, problem) => {
  const folder = tree("notes.txt");
  await expect(listModels([{ kind, path: folder }])).rejects.toMatchObject({
    file: folder,
    problem: expect.stringMatching(problem),
  });
  await expect(listModels([{ kind, path: "/nowhere/at/all" }])).rejects.toThrow(FileError);
});
