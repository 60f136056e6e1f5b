/** Checkpoints in one file, and the diffusers folders that hold the same weights, both grown from what parity/single_files.py recorded. */
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { safetensors } from "../../src/checkpoint/index.js";
import { clipTokenizer } from "../../src/checkpoint/node/index.js";
import { type FloatTensor, float } from "../../src/tensor/index.js";
import { valuesOf } from "./grow.js";
import { description } from "./parity.js";

const config = z.record(z.string(), z.unknown());
const schema = z.object({
  configs: z.object({ unet: config, vae: config, text: z.array(config) }),
  tensors: z.array(z.tuple([z.string(), z.array(z.number())])),
  /** Tensor of diffusers → tensor of the file, which third of its rows, whether it is turned, shape. */
  places: z.record(
    z.string(),
    z.record(z.string(), z.tuple([z.string(), z.number().nullable(), z.boolean(), z.array(z.number())])),
  ),
});
export type SingleGolden = z.output<typeof schema>;

export const FAMILIES = ["sd1", "sd2", "sdxl"] as const;
export const singleGolden = (family: string): SingleGolden => description(`single/${family}`, schema);

/** All tensors of the file. */
export const tensorsOf = ({ tensors }: SingleGolden): Record<string, FloatTensor> =>
  Object.fromEntries(tensors.map(([name, shape], i) => [name, float(shape, valuesOf(`${name}.weight`, shape, 7 + i))]));

/** Writes the file. */
export function writeSingle(file: string, tensors: Readonly<Record<string, FloatTensor>>): string {
  writeFileSync(file, safetensors(tensors));
  return file;
}

/** The tensors of one component, cut and turned as diffusers would have them. */
export function componentOf(
  { places }: SingleGolden,
  name: string,
  tensors: Readonly<Record<string, FloatTensor>>,
): Record<string, FloatTensor> {
  return Object.fromEntries(
    Object.entries(places[name] ?? {}).map(([key, [from, third, turned, shape]]) => {
      const { data, shape: own } = tensors[from] ?? float([0], new Float32Array());
      const n = shape.reduce((a, b) => a * b, 1);
      if (third !== null) return [key, float(shape, data.slice(third * n, (third + 1) * n))];
      const columns = own[1] ?? 1;
      const rows = own[0] ?? 1;
      const value = turned ? data.map((_, i) => data[(i % rows) * columns + Math.floor(i / rows)] ?? 0) : data;
      return [key, float(shape, value)];
    }),
  );
}

const CLASSES = { sd: "StableDiffusionPipeline", sdxl: "StableDiffusionXLPipeline" };

/** Writes the diffusers folder with the same weights. */
export async function writeFolder(
  folder: string,
  family: (typeof FAMILIES)[number],
  single: SingleGolden,
  scheduler: Readonly<Record<string, unknown>>,
): Promise<string> {
  const tensors = tensorsOf(single);
  const json = (name: string, value: unknown) => {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), JSON.stringify(value));
  };
  const index: Record<string, unknown> = { _class_name: family === "sdxl" ? CLASSES.sdxl : CLASSES.sd };
  const component = (name: string, className: string, settings: object, stem: string) => {
    const head = stem === "model" ? { architectures: [className] } : { _class_name: className };
    json(`${name}/config.json`, { ...head, ...settings });
    writeSingle(path.join(folder, name, `${stem}.safetensors`), componentOf(single, name, tensors));
    index[name] = [stem === "model" ? "transformers" : "diffusers", className];
  };
  component("unet", "UNet2DConditionModel", single.configs.unet, "diffusion_pytorch_model");
  component("vae", "AutoencoderKL", single.configs.vae, "diffusion_pytorch_model");
  for (const [i, settings] of single.configs.text.entries()) {
    const name = i === 0 ? "text_encoder" : "text_encoder_2";
    component(name, i === 0 ? "CLIPTextModel" : "CLIPTextModelWithProjection", settings, "model");
    const tokenizer = i === 0 ? "tokenizer" : "tokenizer_2";
    const { vocab, merges, config } = await clipTokenizer(i === 1 || family === "sd2" ? "!" : "<|endoftext|>");
    json(`${tokenizer}/vocab.json`, vocab);
    writeFileSync(path.join(folder, tokenizer, "merges.txt"), `#version: 0.2\n${merges}\n`);
    json(`${tokenizer}/tokenizer_config.json`, config);
    index[tokenizer] = ["transformers", "CLIPTokenizer"];
  }
  json("scheduler/scheduler_config.json", scheduler);
  index["scheduler"] = ["diffusers", String(scheduler["_class_name"])];
  json("model_index.json", { ...index, ...(family === "sdxl" && { force_zeros_for_empty_prompt: true }) });
  return folder;
}
