import { describe, expect, it } from "vitest";
import { type ModelKind, select } from "../../src/hub/selection.js";

const SDXL = [
  ".gitattributes",
  "LICENSE.md",
  "README.md",
  "01.png",
  "model_index.json",
  "scheduler/scheduler_config.json",
  "sd_xl_base_1.0.safetensors",
  "sd_xl_base_1.0_0.9vae.safetensors",
  "text_encoder/config.json",
  "text_encoder/flax_model.msgpack",
  "text_encoder/model.fp16.safetensors",
  "text_encoder/model.onnx",
  "text_encoder/model.safetensors",
  "text_encoder/openvino_model.bin",
  "text_encoder_2/config.json",
  "text_encoder_2/model.fp16.safetensors",
  "text_encoder_2/model.safetensors",
  "text_encoder_2/model.onnx_data",
  "tokenizer/merges.txt",
  "tokenizer/special_tokens_map.json",
  "tokenizer/tokenizer_config.json",
  "tokenizer/vocab.json",
  "tokenizer_2/merges.txt",
  "tokenizer_2/vocab.json",
  "unet/config.json",
  "unet/diffusion_pytorch_model.fp16.safetensors",
  "unet/diffusion_pytorch_model.safetensors",
  "vae/config.json",
  "vae/diffusion_pytorch_model.fp16.safetensors",
  "vae/diffusion_pytorch_model.safetensors",
  "vae_1_0/config.json",
  "vae_1_0/diffusion_pytorch_model.safetensors",
];
const PARTS = ["unet", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler", "vae_1_0"];
const INDEX = {
  _class_name: "StableDiffusionXLPipeline",
  ...Object.fromEntries(PARTS.map((p) => [p, ["x", "Y"]])),
  safety_checker: ["stable_diffusion", "StableDiffusionSafetyChecker"],
  image_encoder: [null, null],
};

function chosen(
  names: readonly string[],
  kind: ModelKind,
  place = "",
  o: { variant?: "fp32"; there?: string[]; index?: unknown } = {},
) {
  const { variant = "fp16", there = [], index = null } = o;
  const listing = names.map((path) => ({ path, bytes: 1 }));
  const found = select(listing, place, kind, { variant, there: (f) => there.includes(f.path), index });
  return "problem" in found ? found.problem : { root: found.root, files: found.files.map((f) => f.path).sort() };
}

const weights = (names: readonly string[], o: Parameters<typeof chosen>[3] = {}) => {
  const found = chosen(names.map((n) => `unet/${n}`).concat("unet/config.json"), "unet", "unet", o);
  return typeof found === "string"
    ? found
    : found.files.filter((f) => !f.endsWith("/config.json")).map((f) => f.slice(5));
};

describe("of a pipeline", () => {
  it("the parts that are drawn are taken, in half precision, and nothing else", () => {
    expect(chosen(SDXL, "pipeline", "", { index: INDEX })).toEqual({
      root: "",
      files: [
        "model_index.json",
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "text_encoder/model.fp16.safetensors",
        "text_encoder_2/config.json",
        "text_encoder_2/model.fp16.safetensors",
        "tokenizer/merges.txt",
        "tokenizer/special_tokens_map.json",
        "tokenizer/tokenizer_config.json",
        "tokenizer/vocab.json",
        "tokenizer_2/merges.txt",
        "tokenizer_2/vocab.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "vae/config.json",
        "vae/diffusion_pytorch_model.fp16.safetensors",
      ],
    });
  });
  it("full precision comes when asked for", () => {
    const found = chosen(SDXL, "pipeline", "", { index: INDEX, variant: "fp32" });
    expect(found).toMatchObject({ files: expect.arrayContaining(["unet/diffusion_pytorch_model.safetensors"]) });
    expect(JSON.stringify(found)).not.toContain("fp16");
  });
  it("the UNet alone comes with its scheduler, or from its folder", () => {
    const unet = ["unet/config.json", "unet/diffusion_pytorch_model.fp16.safetensors"];
    expect(chosen(SDXL, "unet", "", { index: INDEX })).toEqual({
      root: "",
      files: ["scheduler/scheduler_config.json", ...unet],
    });
    expect(chosen(SDXL, "unet", "unet")).toEqual({ root: "unet", files: unet });
  });
  it("the autoencoder alone is its folder", () => {
    const files = ["vae/config.json", "vae/diffusion_pytorch_model.fp16.safetensors"];
    expect(chosen(SDXL, "autoencoder")).toEqual({ root: "vae", files });
  });
  it("a file that is named is that file", () => {
    expect(chosen(SDXL, "pipeline", "sd_xl_base_1.0.safetensors")).toEqual({
      root: "sd_xl_base_1.0.safetensors",
      files: ["sd_xl_base_1.0.safetensors"],
    });
  });
  it("of transformers is its transformer, with every shard, and not what generation leaves out", () => {
    const names = [
      "model_index.json",
      "scheduler/scheduler_config.json",
      "transformer/config.json",
      "transformer/diffusion_pytorch_model.safetensors.index.json",
      "transformer/diffusion_pytorch_model-00001-of-00002.safetensors",
      "transformer/diffusion_pytorch_model-00002-of-00002.safetensors",
      "text_encoder/config.json",
      "text_encoder/model.safetensors",
      "tokenizer/tokenizer.json",
      "vae/config.json",
      "vae/diffusion_pytorch_model.safetensors",
    ];
    const index = {
      _class_name: "ZImagePipeline",
      transformer: ["diffusers", "ZImageTransformer2DModel"],
      text_encoder: ["transformers", "Qwen3Model"],
      tokenizer: ["transformers", "Qwen2Tokenizer"],
      scheduler: ["diffusers", "FlowMatchEulerDiscreteScheduler"],
      vae: ["diffusers", "AutoencoderKL"],
    };
    const found = chosen([...names, "assets/example.png", "flux-2-klein-4b.safetensors"], "pipeline", "", { index });
    if (typeof found === "string") throw new Error(found);
    expect(new Set(found.files)).toEqual(new Set(names));
    const old = names.map((name) => name.replace("tokenizer.json", "spiece.model"));
    const both = chosen([...names, "tokenizer/spiece.model"], "pipeline", "", { index });
    const ofOld = chosen(old, "pipeline", "", { index });
    expect(typeof ofOld === "string" ? ofOld : new Set(ofOld.files)).toEqual(new Set(old));
    expect(typeof both === "string" ? both : new Set(both.files)).toEqual(new Set(names));
    const transformer = names.filter((name) => /^(transformer|scheduler)\//.test(name));
    const alone = chosen(names, "unet");
    if (typeof alone === "string") throw new Error(alone);
    expect(new Set(alone.files)).toEqual(new Set(transformer));
  });
  it("one of another family is refused by its name before anything is fetched", () => {
    const index = { _class_name: "QwenImageEditPipeline", transformer: ["diffusers", "QwenImageTransformer2DModel"] };
    expect(chosen(["model_index.json", "transformer/a.safetensors"], "pipeline", "", { index })).toMatch(
      /^is QwenImageEditPipeline, of Qwen-Image-Edit, which reads images; /,
    );
  });
  it("one that lacks what its index names is refused", () => {
    const names = SDXL.filter((n) => n !== "tokenizer_2/vocab.json" && !n.startsWith("scheduler/"));
    expect(chosen(names, "pipeline", "", { index: INDEX })).toMatch(/tokenizer_2, scheduler\/scheduler_config\.json/);
  });
  it("one whose weights are of a kind that is not read is refused by its part", () => {
    const names = SDXL.filter((n) => !/^unet\/.*safetensors/.test(n)).concat("unet/model.onnx");
    expect(chosen(names, "pipeline", "", { index: INDEX })).toMatch(/no weights in unet\/.*model\.onnx/);
  });
});

describe("of the weights of a network", () => {
  const [full, half] = ["diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.fp16.safetensors"];
  const [fullBin, halfBin] = ["diffusion_pytorch_model.bin", "diffusion_pytorch_model.fp16.bin"];
  const index = "diffusion_pytorch_model.safetensors.index.json";
  const parts = [1, 2].map((n) => `diffusion_pytorch_model-0000${n}-of-00002.safetensors`);
  const halfIndex = "diffusion_pytorch_model.safetensors.index.fp16.json";
  const halfParts = [1, 2].map((n) => `diffusion_pytorch_model-0000${n}-of-00002.fp16.safetensors`);

  it.each([
    ["half before full", [full, half, fullBin, halfBin], [half]],
    ["safetensors before pickles", [fullBin, halfBin, full], [full]],
    ["half pickles before full ones", [fullBin, halfBin], [halfBin]],
    ["an index with its parts", [index, ...parts, fullBin], [...parts, index]],
    [
      "an index in half precision, with its own parts",
      [index, ...parts, halfIndex, ...halfParts],
      [...halfParts, halfIndex],
    ],
    ["one file before parts", [index, ...parts, full], [full]],
    ["no index that lacks a part", [index, parts[0] ?? "", fullBin], [fullBin]],
    ["transformers' names", ["model.safetensors", "pytorch_model.bin"], ["model.safetensors"]],
    ["other names not", ["openvino_model.bin", "flax_model.msgpack", "model.safetensors"], ["model.safetensors"]],
  ])("%s", (_, names, expected) => expect(weights(names)).toEqual([...expected].sort()));

  it("what is there already is used, as the loader would", () => {
    expect(weights([full, half], { there: [`unet/${full}`] })).toEqual([full]);
    expect(weights([full, half], { there: [`unet/${full}`, `unet/${half}`] })).toEqual([full]);
    expect(weights([index, ...parts, half], { there: [`unet/${index}`] })).toEqual([...parts, index].sort());
    expect(weights([full, half], { there: [`unet/${half}`], variant: "fp32" })).toEqual([full]);
  });
});

describe("of other repositories", () => {
  it.each<[string, ModelKind, string[], unknown]>([
    [
      "a UNet alone",
      "unet",
      ["README.md", "config.json", "diffusion_pytorch_model.safetensors"],
      { root: "", files: ["config.json", "diffusion_pytorch_model.safetensors"] },
    ],
    [
      "a LoRA by its usual name",
      "adapter",
      ["pytorch_lora_weights.safetensors", "other.safetensors"],
      { root: "pytorch_lora_weights.safetensors", files: ["pytorch_lora_weights.safetensors"] },
    ],
    [
      "a LoRA that PEFT saved, with the config that holds its strength",
      "adapter",
      ["README.md", "adapter_model.safetensors", "adapter_config.json"],
      { root: "adapter_model.safetensors", files: ["adapter_config.json", "adapter_model.safetensors"] },
    ],
    [
      "a LoRA as a distilled model",
      "unet",
      ["README.md", "pytorch_lora_weights.safetensors"],
      { root: "pytorch_lora_weights.safetensors", files: ["pytorch_lora_weights.safetensors"] },
    ],
    [
      "the only LoRA",
      "adapter",
      ["README.md", "x/slider.safetensors", "a.png"],
      { root: "x/slider.safetensors", files: ["x/slider.safetensors"] },
    ],
    [
      "a textual inversion",
      "textual inversion",
      ["learned_embeds.bin", "concept_images/0.jpeg"],
      { root: "learned_embeds.bin", files: ["learned_embeds.bin"] },
    ],
    [
      "a CLIP with its tokenizer",
      "clip",
      [
        "config.json",
        "flax_model.msgpack",
        "merges.txt",
        "model.safetensors",
        "preprocessor_config.json",
        "pytorch_model.bin",
        "tf_model.h5",
        "vocab.json",
      ],
      { root: "", files: ["config.json", "merges.txt", "model.safetensors", "preprocessor_config.json", "vocab.json"] },
    ],
    [
      "a checkpoint in one file",
      "pipeline",
      ["README.md", "dream.safetensors"],
      { root: "dream.safetensors", files: ["dream.safetensors"] },
    ],
    ["a folder as it is", "file", ["README.md", "a.csv", "b/c.png"], { root: "", files: ["a.csv", "b/c.png"] }],
  ])("%s", (_, kind, names, expected) => expect(chosen(names, kind)).toEqual(expected));

  it("several files that could be meant are listed", () => {
    const names = ["sdxl_lightning_2step_lora.safetensors", "sdxl_lightning_4step_lora.safetensors"];
    expect(chosen(names, "adapter")).toContain(names.join(", "));
  });
  it("a missing file is refused with the files that exist", () => {
    expect(chosen(["a.txt", "b.txt"], "unet", "unet")).toBe("has no file or folder unet; found: a.txt, b.txt");
    expect(chosen(["a.txt"], "clip")).toMatch(/CLIPModel.*a\.txt/);
  });
});

it("takes a tokenizer without the weights beside it", () => {
  const listing = [
    "README.md",
    "config.json",
    "model-00001-of-00002.safetensors",
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
  ];
  const files = listing.map((path) => ({ path, bytes: 1 }));
  const context = { variant: "fp16", there: () => false, index: null } as const;
  const found = select(files, "", "tokenizer", context);
  expect("files" in found && found.files.map(({ path }) => path)).toEqual([
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
  ]);
  const inside = select(
    [...files, { path: "tokenizer_2/spiece.model", bytes: 1 }],
    "tokenizer_2",
    "tokenizer",
    context,
  );
  expect(inside).toMatchObject({ root: "tokenizer_2", files: [{ path: "tokenizer_2/spiece.model" }] });
  expect(select([{ path: "x/unet.bin", bytes: 1 }], "x", "tokenizer", context)).toMatchObject({
    problem: expect.stringContaining("has no files for a tokenizer"),
  });
});
