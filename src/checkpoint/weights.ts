/** Weights of one component, whatever they are stored as: one file, several with an index, half precision variants. */
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { codeOf, FileError } from "../errors.js";
import {
  BYTES,
  count,
  type FloatTensor,
  float,
  fromBfloat16,
  fromFloat16,
  type Weight,
  type WeightIndex,
} from "../tensor/index.js";
import { unpack } from "./blocks.js";
import { type Container, containerOf } from "./container.js";
import { readGguf } from "./gguf.js";
import { readJson } from "./json.js";
import { readSafetensors } from "./safetensors.js";
import { type ByteSource, openFile } from "./source.js";
import { readTorchFile } from "./torchzip.js";

const ENDINGS = [".safetensors", ".sft", ".gguf", ".bin", ".pt", ".pth", ".ckpt", ".tar"];

type Tensors = Omit<WeightIndex, "source"> & { readonly metadata: Readonly<Record<string, string>> };

/** How each container is read. */
const READERS: { readonly [C in Container]: (source: ByteSource) => Promise<Tensors> } = {
  safetensors: readSafetensors,
  torch: async (source) => ({ weights: await readTorchFile(source), metadata: {} }),
  gguf: async (source) => ({ weights: (await readGguf(source)).weights, metadata: {} }),
};

/** Where the first bytes say nothing, the name tells which reader says what is wrong. */
const BY_ENDING: Readonly<Record<string, Container>> = {
  ".safetensors": "safetensors",
  ".sft": "safetensors",
  ".gguf": "gguf",
};

/** Opens a file of tensors by what is in it, whatever its name ends in. @throws FileError saying what it is instead */
export const openWeights = async (file: string): Promise<WeightIndex> => {
  const { weights } = await openTensorFile(file);
  return { source: file, weights };
};

/** The tensors of a file, and the words that safetensors keeps beside them. @throws FileError */
export async function openTensorFile(file: string): Promise<WeightIndex & Pick<Tensors, "metadata">> {
  const source = await openFile(file);
  const ending = path.extname(file).toLowerCase();
  const container = (await containerOf(source)) ?? BY_ENDING[ending] ?? "torch";
  try {
    return { source: file, ...(await READERS[container](source)) };
  } catch (error) {
    if (ENDINGS.includes(ending) || !(error instanceof FileError)) throw error;
    throw new FileError(file, `weights are read from ${ENDINGS.join(", ")} files`, { cause: error });
  }
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

/** Lists a folder's content for messages, shortened. @throws FileError where it may not be read */
export async function contents(folder: string): Promise<string> {
  const names = await readdir(folder).catch((error: unknown) => {
    throw new FileError(folder, `cannot be read (${codeOf(error)})`, { cause: error });
  });
  const shown = names.slice(0, 8).join(", ") || "nothing";
  return names.length > 8 ? `${shown} and ${names.length - 8} more` : shown;
}

async function openShards(indexFile: string): Promise<WeightIndex> {
  const parsed = indexSchema.safeParse(await readJson(indexFile));
  if (!parsed.success) throw new FileError(indexFile, "has no weight_map of tensor names to files");
  const folder = path.dirname(indexFile);
  const shards = new Map<string, WeightIndex>();
  const names = [...new Set(Object.values(parsed.data.weight_map))];
  const outside = names.find((shard) => path.basename(shard) !== shard);
  if (outside !== undefined) throw new FileError(indexFile, `names ${outside}, which is outside its folder`);
  const missing = names.filter((shard) => !existsSync(path.join(folder, shard)));
  if (missing.length > 0) {
    const which = missing.slice(0, 3).join(", ") + (missing.length > 3 ? ", …" : "");
    throw new FileError(
      indexFile,
      `names ${names.length} files, of which ${missing.length} are missing: ${which}; fetch them`,
    );
  }
  for (const shard of names) {
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

/** A weight's bytes, as its type has them: read from the file, or unpacked from blocks. Those in memory are not copied. */
export async function readBytes({ shape, bytes }: Weight): Promise<Uint8Array> {
  if (bytes.in === "memory") return bytes.bytes;
  const stored = await (await openFile(bytes.file)).read(bytes.offset, bytes.length);
  if (bytes.in === "file") return stored;
  const values = unpack(bytes.format, stored).subarray(bytes.skip, bytes.skip + count(shape));
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** The values of a small weight as float32, copied. */
export async function readFloats(weight: Weight): Promise<Float32Array> {
  const { name, dtype, shape, bytes } = weight;
  const raw = await readBytes(weight);
  const n = count(shape);
  if (raw.length !== n * BYTES[dtype])
    throw new FileError(bytes.file, `${name} has ${raw.length} bytes for ${n} values`);
  // A copy begins where its buffer does, so that it can be seen as wider numbers.
  const { buffer } = new Uint8Array(raw);
  const read: Partial<Record<Weight["dtype"], () => Float32Array>> = {
    float64: () => Float32Array.from(new Float64Array(buffer)),
    float32: () => new Float32Array(buffer),
    float16: () => fromFloat16(new Uint16Array(buffer)),
    bfloat16: () => fromBfloat16(new Uint16Array(buffer)),
  };
  const floats = read[dtype];
  if (!floats) throw new FileError(bytes.file, `${name} is ${dtype}; floating point was expected`);
  return floats();
}

/** Every tensor of a small file as float32, by name. @throws FileError */
export async function readTensors(file: string): Promise<Map<string, FloatTensor>> {
  const { weights } = await openWeights(file);
  const found = new Map<string, FloatTensor>();
  for (const [name, weight] of weights) found.set(name, float(weight.shape, await readFloats(weight)));
  return found;
}
