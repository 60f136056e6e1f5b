/** An SDXL-sized UNet with random weights: its config as public facts (field.md C1), its file made on the spot and removed again. */
import { mkdtemp, open, rm, statfs, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { MachineError } from "../errors.js";
import { drawUNet, parseUNetConfig, type UNetConfig } from "../models/index.js";
import { count, createRng, type Weight, type WeightIndex } from "../tensor/index.js";

const SDXL = {
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

export interface Synthetic {
  readonly folder: string;
  readonly config: UNetConfig;
  readonly index: WeightIndex;
  remove(): Promise<void>;
}

const BLOCK = 1 << 24;

/** Writes a float32 safetensors file of SDXL's UNet, 10.3 GB of random numbers. @throws MachineError when the disk is too small */
export async function makeSyntheticSdxl(): Promise<Synthetic> {
  const config = parseUNetConfig({ file: "sdxl", config: SDXL });
  const folder = await mkdtemp(path.join(os.tmpdir(), "variegate-sdxl-"));
  const remove = () => rm(folder, { recursive: true, force: true });
  const file = path.join(folder, "diffusion_pytorch_model.safetensors");
  const shapes = new Map<string, readonly number[]>();
  const imagined: WeightIndex = {
    source: file,
    weights: new Map(),
    imagine(name, shape) {
      shapes.set(name, shape);
      return { name, dtype: "float32", shape, bytes: { in: "file", file, offset: 0, length: 4 * count(shape) } };
    },
  };
  drawUNet(config, imagined, { height: 64, width: 64, tokens: 77 });

  let end = 0;
  const header: Record<string, unknown> = {};
  const weights = new Map<string, Weight>();
  for (const [name, shape] of shapes) {
    const length = 4 * count(shape);
    header[name] = { dtype: "F32", shape, data_offsets: [end, end + length] };
    weights.set(name, { name, dtype: "float32", shape, bytes: { in: "file", file, offset: end, length } });
    end += length;
  }
  const json = Buffer.from(JSON.stringify(header));
  const start = 8 + json.length;
  const index = new Map([...weights].map(([name, w]) => [name, shifted(w, start)]));
  try {
    const { bavail, bsize } = await statfs(folder);
    if (bavail * bsize < 1.05 * end) {
      const need = (end / 1e9).toFixed(1);
      throw new MachineError(
        `${folder}: ${need} GB are needed for random SDXL weights, ${((bavail * bsize) / 1e9).toFixed(1)} GB are free`,
      );
    }
    await writeFile(path.join(folder, "config.json"), JSON.stringify(SDXL));
    await writeRandom(file, json, end);
  } catch (error) {
    await remove();
    throw error;
  }
  return { folder, config, index: { source: file, weights: index }, remove };
}

const shifted = (w: Weight, by: number): Weight =>
  w.bytes.in === "file" ? { ...w, bytes: { ...w.bytes, offset: w.bytes.offset + by } } : w;

/** Small random numbers over and over: what a weight is does not change how long it takes. */
async function writeRandom(file: string, header: Buffer, length: number): Promise<void> {
  const values = createRng(0)
    .randn([BLOCK / 4])
    .data.map((v) => 0.02 * v);
  const block = new Uint8Array(values.buffer);
  const out = await open(file, "w");
  try {
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(header.length));
    await out.write(size);
    await out.write(header);
    for (let at = 0; at < length; at += BLOCK) await out.write(block.subarray(0, Math.min(BLOCK, length - at)));
  } finally {
    await out.close();
  }
}
