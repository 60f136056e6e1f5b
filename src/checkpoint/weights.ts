/** Weights of one component, whatever they are stored as: one file, several with an index, half precision variants. */
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { FileError } from "../errors.js";
import { BYTES, count, type FloatTensor, float, type Weight, type WeightIndex } from "../tensor/index.js";
import { readJson } from "./json.js";
import { readSafetensors } from "./safetensors.js";
import { openFile } from "./source.js";
import { readTorchFile } from "./torchzip.js";

const TORCH = [".bin", ".pt", ".pth", ".ckpt", ".tar"];

/** Opens a .safetensors, .bin, .pt, .pth or .ckpt file. @throws FileError */
export async function openWeights(file: string): Promise<WeightIndex> {
  const ending = path.extname(file).toLowerCase();
  if (ending === ".safetensors")
    return { source: file, weights: (await readSafetensors(await openFile(file))).weights };
  if (TORCH.includes(ending)) return { source: file, weights: await readTorchFile(await openFile(file)) };
  throw new FileError(file, `weights are read from .safetensors and ${TORCH.join(", ")} files`);
}

/** The tensors of a file, and the words that safetensors keeps beside them. @throws FileError */
export async function openTensorFile(
  file: string,
): Promise<WeightIndex & { readonly metadata: Readonly<Record<string, string>> }> {
  if (path.extname(file).toLowerCase() !== ".safetensors") return { ...(await openWeights(file)), metadata: {} };
  return { source: file, ...(await readSafetensors(await openFile(file))) };
}

const indexSchema = z.object({ weight_map: z.record(z.string(), z.string()) });

/**
 * Finds and opens the weights of a component folder: `stem` in safetensors before bin, whole before sharded, full before fp16.
 * @param stem "diffusion_pytorch_model" or "model"
 * @throws FileError saying what the folder has
 */
export async function openComponentWeights(folder: string, stem: string): Promise<WeightIndex> {
  // transformers calls the same thing pytorch_model in its older format.
  const torch = stem === "model" ? "pytorch_model" : stem;
  const names = ["", ".fp16"].flatMap((variant) => [
    `${stem}${variant}.safetensors`,
    `${stem}.safetensors.index${variant}.json`,
    `${stem}${variant}.safetensors.index.json`,
    `${torch}${variant}.bin`,
    `${torch}.bin.index${variant}.json`,
    `${torch}${variant}.bin.index.json`,
  ]);
  const name = names.find((n) => existsSync(path.join(folder, n)));
  if (name === undefined) {
    throw new FileError(
      folder,
      `has no weights (${stem}.safetensors or ${torch}.bin); it has: ${await contents(folder)}`,
    );
  }
  const file = path.join(folder, name);
  return name.endsWith(".json") ? openShards(file) : openWeights(file);
}

/** What a folder holds, in a few words, for messages. */
export async function contents(folder: string): Promise<string> {
  const names = await readdir(folder).catch(() => []);
  const shown = names.slice(0, 8).join(", ") || "nothing";
  return names.length > 8 ? `${shown} and ${names.length - 8} more` : shown;
}

async function openShards(indexFile: string): Promise<WeightIndex> {
  const parsed = indexSchema.safeParse(await readJson(indexFile));
  if (!parsed.success) throw new FileError(indexFile, "has no weight_map of tensor names to files");
  const folder = path.dirname(indexFile);
  const shards = new Map<string, WeightIndex>();
  for (const shard of new Set(Object.values(parsed.data.weight_map))) {
    if (path.basename(shard) !== shard) throw new FileError(indexFile, `names ${shard}, which is outside its folder`);
    shards.set(shard, await openWeights(path.join(folder, shard)));
  }
  const weights = new Map<string, Weight>();
  for (const [name, shard] of Object.entries(parsed.data.weight_map)) {
    const weight = shards.get(shard)?.weights.get(name);
    if (!weight) throw new FileError(indexFile, `says that ${name} is in ${shard}; it is not`);
    weights.set(name, weight);
  }
  return { source: indexFile, weights };
}

/** The values of a small weight as float32, copied. */
export async function readFloats({ name, dtype, shape, bytes }: Weight): Promise<Float32Array> {
  const raw = bytes.in === "memory" ? bytes.bytes : await (await openFile(bytes.file)).read(bytes.offset, bytes.length);
  const copy = raw.slice();
  const n = count(shape);
  if (copy.length !== n * BYTES[dtype])
    throw new FileError(bytes.file, `${name} has ${copy.length} bytes for ${n} values`);
  const v = new DataView(copy.buffer);
  const read: Partial<Record<Weight["dtype"], (i: number) => number>> = {
    float64: (i) => v.getFloat64(8 * i, true),
    float32: (i) => v.getFloat32(4 * i, true),
    float16: (i) => halfToFloat(v.getUint16(2 * i, true)),
    bfloat16: (i) => bfloat(v.getUint16(2 * i, true)),
  };
  const at = read[dtype];
  if (!at) throw new FileError(bytes.file, `${name} is ${dtype}; floating point was expected`);
  return Float32Array.from({ length: n }, (_, i) => at(i));
}

function halfToFloat(h: number): number {
  const sign = h & 0x8000 ? -1 : 1;
  const exponent = (h >> 10) & 0x1f;
  const fraction = h & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const scratch = new DataView(new ArrayBuffer(4));
function bfloat(b: number): number {
  scratch.setUint32(0, b << 16);
  return scratch.getFloat32(0);
}

/** Every tensor of a small file as float32, by name. @throws FileError */
export async function readTensors(file: string): Promise<Map<string, FloatTensor>> {
  const { weights } = await openWeights(file);
  const found = new Map<string, FloatTensor>();
  for (const [name, weight] of weights) found.set(name, float(weight.shape, await readFloats(weight)));
  return found;
}
