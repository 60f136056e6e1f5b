/** Weights of a component folder in any layout: one file, shards with an index, half-precision variants. */
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { codeOf, FileError } from "../../errors.js";
import { counted, type FloatTensor, type Weight, type WeightIndex } from "../../tensor/index.js";
import { type FileWeights, readWeights, tensorsOf } from "../weights.js";
import { openFile } from "./file-source.js";
import { readJson } from "./json.js";

/** Opens a file of tensors; its content decides the format, not its extension. @throws FileError describing other content */
export const openWeights = async (file: string): Promise<FileWeights> => readWeights(await openFile(file));

/** Reads all tensors of a small file as float32, by name. @throws FileError */
export const readTensors = async (file: string): Promise<Map<string, FloatTensor>> =>
  tensorsOf(await openWeights(file));

const indexSchema = z.object({ weight_map: z.record(z.string(), z.string()) });

/**
 * Opens the weights of a component folder. Order of `stem`: safetensors before bin, single file before shards, full before fp16.
 * @param stem "diffusion_pytorch_model" or "model"
 * @throws FileError listing the folder's content
 */
export async function openComponentWeights(folder: string, stem: string): Promise<WeightIndex> {
  // transformers' pickle files are named pytorch_model.
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

/** Abbreviated list of a folder's content, for messages. @throws FileError when it cannot be read */
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
      `names ${counted(names.length, "file")}, of which ${missing.length} ${missing.length === 1 ? "is" : "are"} missing: ${which}; fetch what is missing`,
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
