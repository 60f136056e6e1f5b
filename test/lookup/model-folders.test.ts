import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { safetensors } from "../../src/checkpoint/index.js";
import { FileError, RequestError } from "../../src/errors.js";
import { inspectModelFolders } from "../../src/inspect/index.js";
import { CATEGORIES, findModel, listModels, locate, type ModelFolder } from "../../src/lookup/index.js";
import { float } from "../../src/tensor/index.js";
import { temporaryFolder } from "../support/folder.js";

/** A tree of empty files by their places; "name -> target" is a link. */
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

describe("ComfyUI's tree", () => {
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

  it("holds each kind in its folders, whether its root or its models are named", async () => {
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

  it("lists what a name could mean", async () => {
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

  it("is asked after the disk and before the package, for what may be meant", async () => {
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
    ["a: [", /extra_model_paths\.yaml: is not YAML/],
    ["- a\n- b\n", /is no extra_model_paths\.yaml: groups of folders were expected/],
    ["a:\n  loras: nowhere\n", /is no tree of ComfyUI: none of models\/checkpoints, .* is there/],
  ])("that says %j is refused", async (broken, message) => {
    const root = yaml(broken);
    await expect(listModels(comfy(path.join(root, "extra_model_paths.yaml")))).rejects.toThrow(message);
  });
});

describe("A1111's tree", () => {
  const root = tree(
    "models/Stable-diffusion/v1-5.safetensors",
    "models/Lora/ink.safetensors",
    "models/LyCORIS/loha.safetensors",
    "models/VAE/vae.pt",
    "models/VAE-approx/taesd.pt",
    "embeddings/cat.pt",
  );

  it("holds each kind in its folders, whether its root or its models are named", async () => {
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

  it("stands beside others: the first has what both have", async () => {
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
  ["comfy", /is no tree of ComfyUI/],
  ["a1111", /is no tree of A1111: none of models\/Stable-diffusion, /],
] as const)("another folder is no %s", async (kind, message) => {
  await expect(listModels([{ kind, path: tree("notes.txt") }])).rejects.toThrow(message);
  await expect(listModels([{ kind, path: "/nowhere/at/all" }])).rejects.toThrow(FileError);
});

it("says what each thing in a tree is, and what is wrong with it", async () => {
  const root = tree("models/loras/empty.safetensors");
  const put = (name: string, tensors: Parameters<typeof safetensors>[0]) =>
    writeFileSync(path.join(root, "models/loras", name), safetensors(tensors));
  put("xl.safetensors", {
    "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.lora_A.weight": float(
      [1, 2048],
      new Float32Array(2048),
    ),
  });
  put("flux.safetensors", {
    "lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": float([1, 2], new Float32Array(2)),
  });
  const items = [];
  for await (const { name, about, runs, parameters } of inspectModelFolders(comfy(root)))
    items.push({ name, about, runs, parameters });
  expect(items).toEqual([
    { name: "empty.safetensors", about: expect.stringMatching(/^is empty/), runs: false, parameters: null },
    { name: "flux.safetensors", about: "an adapter for FLUX.1", runs: false, parameters: 2 },
    { name: "xl.safetensors", about: "an adapter for Stable Diffusion XL", runs: true, parameters: 2048 },
  ]);
});
