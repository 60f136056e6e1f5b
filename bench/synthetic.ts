/** Models of the sizes of SDXL and Stable Diffusion 1.5 with random weights in temporary files, from their public configs. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { clipTokenizer, openWeights } from "../src/checkpoint/node/index.js";
import { parseDecoder } from "../src/decode/index.js";
import {
  type DenoiserShape,
  type DrawingWeights,
  drawDecoder,
  drawEncoder,
  drawTextEncoder,
  drawUNet,
  parseAutoencoderConfig,
  parseTextEncoderConfig,
  parseUNetConfig,
  type UNetConfig,
} from "../src/models/index.js";
import type { WeightIndex } from "../src/tensor/index.js";
import { inFolder, mustHold, planned, type Stored, writeRandom } from "./random-weights.js";

const UNET = {
  _class_name: "UNet2DConditionModel",
  sample_size: 128,
  in_channels: 4,
  out_channels: 4,
  down_block_types: ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
  up_block_types: ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
  block_out_channels: [320, 640, 1280],
  layers_per_block: 2,
  cross_attention_dim: 2048,
  transformer_layers_per_block: [1, 2, 10],
  attention_head_dim: [5, 10, 20],
  use_linear_projection: true,
  addition_embed_type: "text_time",
  addition_time_embed_dim: 256,
  projection_class_embeddings_input_dim: 2816,
};

const UNET_SD15 = {
  _class_name: "UNet2DConditionModel",
  sample_size: 64,
  in_channels: 4,
  out_channels: 4,
  down_block_types: [...Array.from({ length: 3 }, () => "CrossAttnDownBlock2D"), "DownBlock2D"],
  up_block_types: ["UpBlock2D", ...Array.from({ length: 3 }, () => "CrossAttnUpBlock2D")],
  block_out_channels: [320, 640, 1280, 1280],
  layers_per_block: 2,
  cross_attention_dim: 768,
  attention_head_dim: 8,
  // The released model has 1 × 1 convolutions in their place, of the same cost; random weights are drawn as matrices.
  use_linear_projection: true,
};

const UNETS = { sdxl: UNET, sd15: UNET_SD15 };

const VAE = {
  _class_name: "AutoencoderKL",
  block_out_channels: [128, 256, 512, 512],
  down_block_types: Array.from({ length: 4 }, () => "DownEncoderBlock2D"),
  up_block_types: Array.from({ length: 4 }, () => "UpDecoderBlock2D"),
  layers_per_block: 2,
  latent_channels: 4,
  scaling_factor: 0.13025,
};

const TEXT = {
  text_encoder: {
    architectures: ["CLIPTextModel"],
    hidden_size: 768,
    intermediate_size: 3072,
    num_hidden_layers: 12,
    num_attention_heads: 12,
    hidden_act: "quick_gelu",
    projection_dim: 768,
    eos_token_id: 49407,
  },
  text_encoder_2: {
    architectures: ["CLIPTextModelWithProjection"],
    hidden_size: 1280,
    intermediate_size: 5120,
    num_hidden_layers: 32,
    num_attention_heads: 20,
    hidden_act: "gelu",
    projection_dim: 1280,
    eos_token_id: 49407,
  },
} as const;

const SCHEDULER = {
  _class_name: "EulerDiscreteScheduler",
  beta_start: 0.00085,
  beta_end: 0.012,
  beta_schedule: "scaled_linear",
  num_train_timesteps: 1000,
  prediction_type: "epsilon",
  steps_offset: 1,
  timestep_spacing: "leading",
};

export interface Synthetic {
  readonly folder: string;
  readonly config: UNetConfig;
  readonly index: WeightIndex;
  remove(): Promise<void>;
}

const WEIGHTS = "diffusion_pytorch_model.safetensors";

/** Writes a UNet with random weights: in float32 10.3 GB for SDXL, 3.4 GB for Stable Diffusion 1.5. @throws MachineError if the disk is too small */
export async function makeSyntheticUNet(model: keyof typeof UNETS, stored: Stored = "float32"): Promise<Synthetic> {
  return inFolder(model, async (folder, remove) => {
    const config = UNETS[model];
    const draw = (index: DrawingWeights) => drawnUNet(index, config);
    const unet = await planned(path.join(folder, WEIGHTS), stored, draw);
    await mustHold(folder, [unet], model === "sdxl" ? "SDXL" : "Stable Diffusion 1.5");
    await writeFile(path.join(folder, "config.json"), JSON.stringify(config));
    await writeRandom(unet);
    return { folder, ...(await openUNet(folder)), remove };
  });
}

/** Opens a UNet in its folder, in another process than the one that wrote it. */
export async function openUNet(folder: string): Promise<Pick<Synthetic, "config" | "index">> {
  const file = path.join(folder, "config.json");
  const config = parseUNetConfig({ file, config: JSON.parse(await readFile(file, "utf8")) });
  return { config, index: await openWeights(path.join(folder, WEIGHTS)) };
}

export interface SyntheticParts {
  /** Folder with `unet` and `vae`, as diffusers names them. */
  readonly folder: string;
  remove(): Promise<void>;
}

/** File of all networks for stable-diffusion.cpp, which mistakes SDXL in a folder for Stable Diffusion 1.x (version of 2026-05). */
export const WHOLE = "whole.safetensors";

/**
 * Writes SDXL's UNet and autoencoder with random weights in float16: 5.3 GB; with `whole` also one file of them and the text encoders, 6.9 GB more.
 * @throws MachineError if the disk is too small
 */
export const makeSyntheticParts = ({ whole = false } = {}): Promise<SyntheticParts> =>
  inFolder("sdxl", async (folder, remove) => {
    const files = [];
    for (const [name, config, draw] of [
      ["unet", UNET, drawnUNet],
      ["vae", VAE, drawnAutoencoder],
    ] as const) {
      const own = path.join(folder, name);
      await mkdir(own);
      await writeFile(path.join(own, "config.json"), JSON.stringify(config));
      files.push(await planned(path.join(own, "diffusion_pytorch_model.safetensors"), "float16", draw));
    }
    if (whole) files.push(await planned(path.join(folder, WHOLE), "float16", drawnWhole));
    await mustHold(folder, files, "SDXL");
    for (const file of files) await writeRandom(file);
    return { folder, remove };
  });

/** All networks of SDXL in one index, with names that stable-diffusion.cpp knows. */
function drawnWhole(index: DrawingWeights) {
  const under = (prefix: string): DrawingWeights => {
    const { synthesise } = index;
    return {
      ...index,
      ...(synthesise && {
        synthesise: (name, shape) =>
          synthesise(prefix + name.replace("text_projection.weight", "text_projection"), shape),
      }),
    };
  };
  drawnUNet(under("unet."));
  drawnAutoencoder(under("vae."));
  drawnText(TEXT.text_encoder, under("cond_stage_model.transformer.text_model."));
  drawnText(TEXT.text_encoder_2, under("cond_stage_model.1.transformer.text_model."));
}

/** Graphs of both for an image of this size in pixels, and the weights they read. */
export async function openSyntheticParts(folder: string, size: number) {
  const open = (name: string) => openWeights(path.join(folder, name, "diffusion_pytorch_model.safetensors"));
  const [unet, vae] = [await open("unet"), await open("vae")];
  const side = size / 8;
  const unetConfig = parseUNetConfig({ file: "sdxl", config: UNET });
  const config = parseAutoencoderConfig({ file: "sdxl", config: VAE });
  const draw = (index: DrawingWeights, shape: DenoiserShape) => drawUNet(unetConfig, index, shape);
  return {
    unet: draw(unet, { height: side, width: side, tokens: 77 }),
    decoder: drawDecoder(config, vae, side, side),
    /** The UNet of any shape, with its weights. */
    drawing: { draw, index: unet },
    autoencoder: await parseDecoder({
      name: "vae",
      className: "AutoencoderKL",
      configFile: "sdxl",
      config: VAE,
      tokenizer: null,
      weights: async () => vae,
    }),
  };
}

export interface SyntheticPair {
  /** Path of a diffusers folder. */
  readonly base: string;
  /** Path of a UNet folder. */
  readonly distilled: string;
  readonly bytes: number;
  remove(): Promise<void>;
}

/**
 * Writes SDXL and a second UNet as diffusers folders in float16, 12.1 GB of random weights, with CLIP's tokenizers.
 * @throws MachineError if the disk is too small
 */
export async function makeSyntheticPair(): Promise<SyntheticPair> {
  return inFolder("sdxl", async (folder, remove) => {
    const [base, distilled] = [path.join(folder, "base"), path.join(folder, "distilled")];
    const part = async (dir: string, config: object, stem: string, draw: (index: DrawingWeights) => void) => {
      await mkdir(dir, { recursive: true });
      await writeFile(path.join(dir, "config.json"), JSON.stringify(config));
      return planned(path.join(dir, `${stem}.fp16.safetensors`), "float16", draw);
    };
    const files = [
      await part(path.join(base, "unet"), UNET, "diffusion_pytorch_model", drawnUNet),
      await part(path.join(base, "vae"), VAE, "diffusion_pytorch_model", drawnAutoencoder),
      await part(distilled, UNET, "diffusion_pytorch_model", drawnUNet),
    ];
    for (const [name, config] of Object.entries(TEXT)) {
      files.push(await part(path.join(base, name), config, "model", (index) => drawnText(config, index)));
    }
    await mustHold(folder, files, "SDXL");
    await writeFile(path.join(base, "model_index.json"), JSON.stringify(INDEX));
    await mkdir(path.join(base, "scheduler"));
    await writeFile(path.join(base, "scheduler", "scheduler_config.json"), JSON.stringify(SCHEDULER));
    for (const [name, padding] of [
      ["tokenizer", "<|endoftext|>"],
      ["tokenizer_2", "!"],
    ] as const) {
      const { vocab, merges, config } = await clipTokenizer(padding);
      await mkdir(path.join(base, name));
      await writeFile(path.join(base, name, "vocab.json"), JSON.stringify(vocab));
      await writeFile(path.join(base, name, "merges.txt"), merges ?? "");
      await writeFile(path.join(base, name, "tokenizer_config.json"), JSON.stringify(config));
    }
    for (const file of files) await writeRandom(file);
    return { base, distilled, bytes: files.reduce((n, f) => n + f.bytes, 0), remove };
  });
}

const INDEX = {
  _class_name: "StableDiffusionXLPipeline",
  force_zeros_for_empty_prompt: true,
  scheduler: ["diffusers", "EulerDiscreteScheduler"],
  text_encoder: ["transformers", "CLIPTextModel"],
  text_encoder_2: ["transformers", "CLIPTextModelWithProjection"],
  tokenizer: ["transformers", "CLIPTokenizer"],
  tokenizer_2: ["transformers", "CLIPTokenizer"],
  unet: ["diffusers", "UNet2DConditionModel"],
  vae: ["diffusers", "AutoencoderKL"],
};

const drawnUNet = (index: DrawingWeights, config: Record<string, unknown> = UNET) =>
  drawUNet(parseUNetConfig({ file: "config.json", config }), index, { height: 64, width: 64, tokens: 77 });

function drawnAutoencoder(index: DrawingWeights) {
  const config = parseAutoencoderConfig({ file: "sdxl", config: VAE });
  drawEncoder(config, index, 64, 64);
  drawDecoder(config, index, 8, 8);
}

function drawnText(config: (typeof TEXT)[keyof typeof TEXT], index: DrawingWeights) {
  const pooled = config.architectures[0] === "CLIPTextModelWithProjection";
  const shape = { tokens: 77, state: { back: 0, finalNorm: true }, pooled };
  drawTextEncoder(parseTextEncoderConfig({ file: "sdxl", config }), index, shape);
}
