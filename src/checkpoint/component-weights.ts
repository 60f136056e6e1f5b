/** Weights of a component folder in any layout: one file, shards with an index, half-precision variants. */
import { z } from "zod";
import { FileError } from "../errors.js";
import { counted, type Weight, type WeightIndex } from "../tensor/index.js";
import { contents, exists, type FileSystem, firstThere, folderOf, nameIn, readJson } from "./file-system.js";
import { readWeights } from "./weights.js";

const indexSchema = z.object({ weight_map: z.record(z.string(), z.string()) });

/**
 * Opens the weights of a component folder. Order of `stem`: safetensors before bin, single file before shards, full before fp16.
 * @param stem "diffusion_pytorch_model" or "model"
 * @throws FileError listing the folder's content
 */
export async function openComponentWeights(files: FileSystem, folder: string, stem: string): Promise<WeightIndex> {
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
  const file = await firstThere(
    files,
    names.map((name) => files.join(folder, name)),
  );
  if (file === null) {
    throw new FileError(
      folder,
      `has no weights (${stem}.safetensors or ${torch}.bin); it has: ${await contents(files, folder)}`,
    );
  }
  return file.endsWith(".json") ? openShards(files, file) : readWeights(await files.open(file));
}

async function openShards(files: FileSystem, indexFile: string): Promise<WeightIndex> {
  const parsed = indexSchema.safeParse(await readJson(files, indexFile));
  if (!parsed.success) throw new FileError(indexFile, "has no weight_map of tensor names to files");
  const folder = folderOf(indexFile);
  const shards = new Map<string, WeightIndex>();
  const names = [...new Set(Object.values(parsed.data.weight_map))];
  const outside = names.find((shard) => nameIn(shard) !== shard);
  if (outside !== undefined) throw new FileError(indexFile, `names ${outside}, which is outside its folder`);
  const missing: string[] = [];
  for (const shard of names) if (!(await exists(files, files.join(folder, shard)))) missing.push(shard);
  if (missing.length > 0) {
    const which = missing.slice(0, 3).join(", ") + (missing.length > 3 ? ", …" : "");
    throw new FileError(
      indexFile,
      `names ${counted(names.length, "file")}, of which ${missing.length} ${missing.length === 1 ? "is" : "are"} missing: ${which}; fetch what is missing`,
    );
  }
  for (const shard of names) {
    shards.set(shard, await readWeights(await files.open(files.join(folder, shard))));
  }
  const weights = new Map<string, Weight>();
  for (const [name, shard] of Object.entries(parsed.data.weight_map)) {
    const weight = shards.get(shard)?.weights.get(name);
    if (!weight) throw new FileError(indexFile, `says that ${name} is in ${shard}; it is not`);
    weights.set(name, weight);
  }
  return { source: indexFile, weights };
}
