/** SDXL-sized models with random weights in temporary files, from the public configs of SDXL. */
import { mkdir, mkdtemp, open, rm, statfs, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { clipTokenizer, openWeights } from "../src/checkpoint/node/index.js";
import { parseDecoder } from "../src/decode/index.js";
import { MachineError } from "../src/errors.js";
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
import { BYTES, count, createRng, formatBytes, type Weight, type WeightIndex } from "../src/tensor/index.js";

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

type Stored = "float32" | "float16";

/** Layout of a weight file, from the graph of its network. */
interface Planned {
  readonly file: string;
  readonly header: Buffer;
  readonly index: WeightIndex;
  readonly bytes: number;
}

export interface Synthetic {
  readonly folder: string;
  readonly config: UNetConfig;
  readonly index: WeightIndex;
  remove(): Promise<void>;
}

/** Writes SDXL's UNet with random weights: 10.3 GB in float32. @throws MachineError if the disk is too small */
export async function makeSyntheticSdxl(stored: Stored = "float32"): Promise<Synthetic> {
  return inFolder(async (folder, remove) => {
    const unet = planned(path.join(folder, "diffusion_pytorch_model.safetensors"), stored, drawnUNet);
    await mustHold(folder, [unet]);
    await writeFile(path.join(folder, "config.json"), JSON.stringify(UNET));
    await writeRandom(unet);
    return { folder, ...(await openSyntheticSdxl(folder)), remove };
  });
}

/** Opens SDXL's UNet in its folder, in another process than the one that wrote it. */
export const openSyntheticSdxl = async (folder: string): Promise<Pick<Synthetic, "config" | "index">> => ({
  config: parseUNetConfig({ file: "sdxl", config: UNET }),
  index: await openWeights(path.join(folder, "diffusion_pytorch_model.safetensors")),
});

export interface SyntheticParts {
  /** Folder with `unet` and `vae`, as diffusers names them. */
  readonly folder: string;
  remove(): Promise<void>;
}

/** Writes SDXL's UNet and autoencoder with random weights in float16: 5.3 GB. @throws MachineError if the disk is too small */
export const makeSyntheticParts = (): Promise<SyntheticParts> =>
  inFolder(async (folder, remove) => {
    const files = [];
    for (const [name, config, draw] of [
      ["unet", UNET, drawnUNet],
      ["vae", VAE, drawnAutoencoder],
    ] as const) {
      const own = path.join(folder, name);
      await mkdir(own);
      await writeFile(path.join(own, "config.json"), JSON.stringify(config));
      files.push(planned(path.join(own, "diffusion_pytorch_model.safetensors"), "float16", draw));
    }
    await mustHold(folder, files);
    for (const file of files) await writeRandom(file);
    return { folder, remove };
  });

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
  return inFolder(async (folder, remove) => {
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
    await mustHold(folder, files);
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

const drawnUNet = (index: WeightIndex) =>
  drawUNet(parseUNetConfig({ file: "sdxl", config: UNET }), index, { height: 64, width: 64, tokens: 77 });

function drawnAutoencoder(index: WeightIndex) {
  const config = parseAutoencoderConfig({ file: "sdxl", config: VAE });
  drawEncoder(config, index, 64, 64);
  drawDecoder(config, index, 8, 8);
}

function drawnText(config: (typeof TEXT)[keyof typeof TEXT], index: WeightIndex) {
  const pooled = config.architectures[0] === "CLIPTextModelWithProjection";
  const shape = { tokens: 77, state: { back: 0, finalNorm: true }, pooled };
  drawTextEncoder(parseTextEncoderConfig({ file: "sdxl", config }), index, shape);
}

/** Runs `work` in a temporary folder, which is removed if it fails. */
async function inFolder<T>(work: (folder: string, remove: () => Promise<void>) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "variegate-sdxl-"));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    return await work(folder, remove);
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Lays out a safetensors file with every weight that a graph uses. */
function planned(file: string, dtype: Stored, draw: (index: DrawingWeights) => void): Planned {
  const shapes = new Map<string, readonly number[]>();
  // Building a graph uses shapes only.
  const bytes = { in: "memory", source: { name: file }, bytes: new Uint8Array() } as const;
  const weight = (name: string, shape: readonly number[]): Weight => ({ name, dtype, shape, bytes });
  draw({
    source: file,
    weights: new Map(),
    synthesise(name, shape) {
      shapes.set(name, shape);
      return weight(name, shape);
    },
  });
  const storedType = dtype === "float16" ? "F16" : "F32";
  const entries: Record<string, unknown> = {};
  let end = 0;
  for (const [name, shape] of shapes) {
    const length = BYTES[dtype] * count(shape);
    entries[name] = { dtype: storedType, shape, data_offsets: [end, end + length] };
    end += length;
  }
  const header = Buffer.from(JSON.stringify(entries));
  const weights = new Map([...shapes].map(([name, shape]) => [name, weight(name, shape)]));
  return { file, header, index: { source: file, weights }, bytes: end };
}

/** Checks the free disk space. @throws MachineError */
async function mustHold(folder: string, files: readonly Planned[]): Promise<void> {
  const need = files.reduce((n, f) => n + f.bytes, 0);
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= 1.05 * need) return;
  throw new MachineError(
    `${folder}: random SDXL weights need ${formatBytes(need)}, ${formatBytes(bavail * bsize)} are free`,
  );
}

/** Length of the block of random numbers that is repeated. The values of weights do not affect the time. */
const DRAWN = 1 << 22;
/** Numbers of the block between the beginnings of two weights: OpenVINO keeps equal weights once. */
const APART = 12_345;
const blocks = new Map<string, Uint8Array>();

/** Block of random numbers with this mean and standard deviation 2⁻ⁿ. */
function block(dtype: Stored, mean: number, n: number): Uint8Array {
  const key = `${dtype} ${mean} ${n}`;
  const known = blocks.get(key);
  if (known) return known;
  const values = createRng(0)
    .randn([DRAWN])
    .data.map((v) => mean + v * 2 ** -n);
  const made = new Uint8Array(dtype === "float32" ? values.buffer : Uint16Array.from(values, halfBits).buffer);
  blocks.set(key, made);
  return made;
}

const scratch = new DataView(new ArrayBuffer(4));
/** Bits of a number as float16, truncated; subnormal numbers become 0. */
function halfBits(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  const exponent = ((bits >>> 23) & 255) - 127 + 15;
  const sign = (bits >>> 16) & 0x8000;
  return exponent <= 0 ? sign : sign | (exponent << 10) | ((bits >>> 13) & 1023);
}

/** Block for a weight, like an untrained network's: norms around 1, matrices that preserve the scale of activations. */
function blockFor(dtype: Stored, { name, shape }: Weight): Uint8Array {
  if (shape.length === 1) return block(dtype, name.endsWith(".weight") ? 1 : 0, 6);
  return block(dtype, 0, Math.round(Math.log2(count(shape.slice(1))) / 2));
}

async function writeRandom({ file, header, index }: Planned): Promise<void> {
  const out = await open(file, "w");
  try {
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(header.length));
    await out.write(size);
    await out.write(header);
    for (const [i, weight] of [...index.weights.values()].entries()) {
      const bytes = blockFor(weight.dtype === "float16" ? "float16" : "float32", weight);
      let from = (BYTES[weight.dtype] * APART * i) % bytes.length;
      for (let left = BYTES[weight.dtype] * count(weight.shape); left > 0; from = 0) {
        const part = bytes.subarray(from, from + left);
        await out.write(part);
        left -= part.length;
      }
    }
  } finally {
    await out.close();
  }
}
