import { writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { readConfig } from "../../src/cli/train-config.js";
import { RequestError } from "../../src/errors.js";
import { distillFields, loraFields, sliderFields, wordFields } from "../../src/train/fields.js";
import { temporaryFolder } from "../support/folder.js";
import { runProgram } from "../support/program.js";
import { fresh } from "../support/training.js";

function written(name: string, text: string): string {
  const file = path.join(temporaryFolder(), name);
  writeFileSync(file, text);
  return file;
}
function read(fields: Parameters<typeof readConfig>[1], file: string) {
  const warnings: string[] = [];
  return { ...readConfig({ warn: (text) => warnings.push(text) }, fields, file), warnings };
}

const KOHYA = `
[model_arguments]
pretrained_model_name_or_path = "embedded:base"
[dataset_arguments]
train_data_dir = "images"
resolution = "512,768"
flip_aug = true
[training_arguments]
train_batch_size = 2
max_train_steps = 1_600
learning_rate = 1e-4
lr_scheduler = "constant"
optimizer_type = "AdamW"
min_snr_gamma = 5
noise_offset = 0.05
output_name = "cat"
mixed_precision = "bf16"
network_module = "networks.lora"
network_dim = 8
network_alpha = 4
`;

describe("configs of other trainers", () => {
  it("kohya's TOML: sizes, rank, weights of the loss, folder and model; other values are named", () => {
    const file = written("config.toml", KOHYA);
    expect(read(loraFields, file)).toEqual({
      fields: {
        ...{ size: { width: 512, height: 768 }, flip: true, batch: 2, iterations: 1600, learningRate: 1e-4 },
        ...{ snrGamma: 5, noiseOffset: 0.05, rank: 8, alpha: 4 },
      },
      folder: path.join(path.dirname(file), "images"),
      base: "embedded:base",
      warnings: [
        `${file}: without effect here: lr_scheduler ("constant"; here "cosine"), output_name, mixed_precision`,
      ],
    });
  });

  it("kohya's sets of images: one, and two are refused", () => {
    const set = (dir: string) => `[[datasets.subsets]]\nimage_dir = "${dir}"\nnum_repeats = 1\n`;
    const one = written("one.toml", `[[datasets]]\nresolution = 512\nbatch_size = 2\n${set("cats")}`);
    expect(read(loraFields, one)).toMatchObject({
      fields: { size: { width: 512, height: 512 }, batch: 2 },
      folder: path.join(path.dirname(one), "cats"),
      warnings: [],
    });
    const two = written("two.toml", set("cats") + set("dogs"));
    expect(() => read(loraFields, two)).toThrow(
      /image_dir is "cats" and "dogs": one folder .* put all images into one/,
    );
  });

  it("the arguments of diffusers' scripts, as JSON and YAML", () => {
    const args = {
      ...{ instance_data_dir: "/cats", instance_prompt: "a photo of sks cat", class_prompt: "a photo of a cat" },
      ...{ with_prior_preservation: true, num_class_images: 50, prior_loss_weight: 0.5, snr_gamma: 3, rank: 16 },
      ...{ center_crop: true, random_flip: false, validation_prompt: "a cat", seed: 7, report_to: "wandb" },
    };
    const fields = {
      ...{ caption: "a photo of sks cat", classPrompt: "a photo of a cat", classImages: 50, priorWeight: 0.5 },
      ...{ snrGamma: 3, rank: 16, crop: true, flip: false, samplePrompt: "a cat", seed: 7 },
    };
    const found = read(loraFields, written("args.json", JSON.stringify(args)));
    expect(found).toMatchObject({ fields, folder: "/cats" });
    expect(found.warnings).toEqual([expect.stringMatching(/without effect here: report_to$/)]);
    const yaml = "placeholder_token: <pip>\ninitializer_token: cat\nnum_vectors: 2\nmax_train_steps: 30\n";
    expect(read(wordFields, written("args.yaml", yaml))).toEqual({
      fields: { token: "<pip>", initialize: "cat", vectors: 2, iterations: 30 },
      warnings: [],
    });
    const teacher = written("lcm.json", JSON.stringify({ pretrained_teacher_model: "x/y", lora_alpha: 64, rank: 64 }));
    expect(read(distillFields, teacher)).toEqual({ fields: { alpha: 64, rank: 64 }, base: "x/y", warnings: [] });
  });

  it("the official slider trainer's YAML, with the prompts beside it", () => {
    const file = written(
      "config.yaml",
      `prompts_file: prompts.yaml
pretrained_model:
  name_or_path: CompVis/stable-diffusion-v1-4
  v2: false
network: { type: c3lier, rank: 4, alpha: 1.0, training_method: noxattn }
train:
  precision: bfloat16
  noise_scheduler: ddim
  iterations: 500
  lr: 0.0002
  optimizer: AdamW
  lr_scheduler: constant
  max_denoising_steps: 30
save: { name: temp, per_steps: 500 }
other: { use_xformers: true }
`,
    );
    expect(read(sliderFields, file)).toEqual({
      fields: {
        ...{ prompts: path.join(path.dirname(file), "prompts.yaml"), type: "c3lier", rank: 4, alpha: 1 },
        ...{ layers: "noxattn", iterations: 500, learningRate: 2e-4 },
      },
      base: "CompVis/stable-diffusion-v1-4",
      warnings: [
        `${file}: without effect here: pretrained_model.v2, train.precision, train.max_denoising_steps (30; here 50), save.name, save.per_steps, other.use_xformers`,
      ],
    });
  });

  it.each([
    [
      "a.json",
      '{"learning_rat": 1, "foo_bar": 2}',
      /no counterpart here for learning_rat, foo_bar \(did you mean learning_rate\?\)/,
    ],
    ["b.json", '{"learning_rate": "fast"}', /b\.json: learning_rate is fast\. Expected a number/],
    ["c.json", '{"rank": true}', /c\.json: rank is true; expected an integer/],
    ["d.json", '{"center_crop": 1}', /d\.json: center_crop is 1; expected true or false/],
    ["e.yaml", "network: { training_method: all }", /network\.training_method is all/],
    ["f.ini", "rank=1", /expected a \.toml, \.json, \.yaml or \.yml file/],
  ])("%s: %s is refused by its key", (name, text, said) => {
    const file = written(name, text);
    expect(() => read(loraFields, file)).toThrow(RequestError);
    expect(() => read(loraFields, file)).toThrow(said);
  });

  it("are read by the command, whose own options go before", { timeout: 120_000 }, async () => {
    const words = ["train", "lora", "--config", written("config.toml", KOHYA.replace('"images"', '"none"'))];
    const { status, stderr } = await runProgram([...words, "--out", fresh()]);
    expect([status, stderr]).toEqual([3, expect.stringMatching(/none: there is no such folder/)]);
    const other = await runProgram([...words, "--snr-gamma", "3", "--weighting", "debiased", "--out", fresh()]);
    expect([other.status, other.stderr]).toEqual([
      2,
      expect.stringMatching(/--snr-gamma is that of --weighting min-snr/),
    ]);
    const bare = await runProgram(["train", "lora", "--out", fresh()]);
    expect([bare.status, bare.stderr]).toEqual([2, expect.stringMatching(/a folder of images is missing/)]);
  });
});
