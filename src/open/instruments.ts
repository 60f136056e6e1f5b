/** Opens instruments from released weights: locates files, reads configs, hashes weights. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { openClipAt } from "../assembly/index.js";
import { disk, openComponentFolder, openWeights, readJson } from "../checkpoint/node/index.js";
import { FileError, RequestError } from "../errors.js";
import { isFolder } from "../files/index.js";
import {
  type AttributeClassifier,
  type ClipScorer,
  createClassifier,
  createDino,
  createDreamSim,
  createInception,
  createLpips,
  type FidPreparation,
  filesOf,
  type HashedFiles,
  type InceptionInstrument,
  type Instrument,
} from "../instruments/index.js";
import { type LookupOptions, locate } from "../lookup/index.js";
import {
  type BranchKind,
  type DreamSimBranch,
  dreamSimBranches,
  parseClassifierConfig,
  parseVitConfig,
  vitConfigOf,
} from "../models/index.js";
import type { Precision } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";
import { counted, type WeightIndex } from "../tensor/index.js";

export interface InstrumentOptions extends LookupOptions {
  /** Of the network that reads images. Default: float32. */
  readonly precision?: Precision;
}

/** SHA-256 of weight files, by base name. */
export async function hashed(files: readonly string[]): Promise<HashedFiles> {
  const found = [];
  for (const file of files) {
    const hash = createHash("sha256");
    for await (const part of createReadStream(file)) hash.update(part);
    found.push({ file: path.basename(file), sha256: hash.digest("hex") });
  }
  return found;
}

/** Opens a CLIPModel folder. @throws RequestError when it is another model, FileError when it cannot be read */
export const openClip = async (
  ref: string,
  runtime: Runtime,
  { precision, ...lookup }: InstrumentOptions = {},
): Promise<ClipScorer> => openClipAt(disk, { ref, path: await locate(ref, "clip", lookup) }, runtime, precision);

/** Opens an attribute classifier. @throws FileError, UnsupportedConfigError */
export async function openClassifier(
  ref: string,
  runtime: Runtime,
  lookup: LookupOptions = {},
): Promise<AttributeClassifier> {
  const { configFile, config, weights } = await openComponentFolder(await locate(ref, "vision", lookup));
  return createClassifier(parseClassifierConfig({ file: configFile, config }), weights, runtime);
}

/** Opens DINO or DINOv2: a transformers folder, or a weight file of the original releases. */
export async function openDino(
  ref: string,
  runtime: Runtime,
  { precision, ...lookup }: InstrumentOptions = {},
): Promise<Instrument> {
  const place = await locate(ref, "vision", lookup);
  const folder = isFolder(place) ? await openComponentFolder(place) : null;
  const index = folder ? await folder.weights() : await openWeights(place);
  const config = folder ? parseVitConfig({ file: folder.configFile, config: folder.config }) : vitConfigOf(index);
  const name = folder ? folder.className : "ViT in the original layout";
  return createDino({ index, hashes: await hashed(filesOf(index)) }, config, name, runtime, precision);
}

const adapterSchema = z.object({ r: z.number().positive(), lora_alpha: z.number() });

/** File names of the towers in DreamSim's release, by branch. */
const TOWER_FILES: readonly (readonly [RegExp, BranchKind])[] = [
  [/^open_clip_vitb\d+_pretrain/, "open_clip"],
  [/^clip_vitb\d+_pretrain/, "clip"],
  [/^dino_vit(b|base)16_pretrain/, "dino"],
];
const ORDER: readonly BranchKind[] = ["dino", "clip", "open_clip"];

/**
 * Opens DreamSim: a file with merged LoRA, or the folder of its release: towers (`*_pretrain.pth*`) beside a `*_lora` folder with
 * adapter_config.json. @throws FileError that lists missing files
 */
export async function openDreamSim(
  ref: string,
  runtime: Runtime,
  { precision, ...lookup }: InstrumentOptions = {},
): Promise<Instrument> {
  const place = await locate(ref, "vision", lookup);
  const branches = isFolder(place) ? await releasedBranches(place) : dreamSimBranches(await openWeights(place));
  const files = branches.flatMap((b) => [...filesOf(b.index), ...(b.lora ? filesOf(b.lora.index) : [])]);
  return createDreamSim(branches, await hashed([...new Set(files)]), runtime, precision);
}

async function releasedBranches(folder: string): Promise<DreamSimBranch[]> {
  const names = readdirSync(folder).sort();
  const merged = names.filter((n) => n.endsWith(".safetensors"));
  const adapters = names.filter((n) => existsSync(path.join(folder, n, "adapter_config.json")));
  const only = merged[0];
  if (adapters.length === 0 && merged.length === 1 && only)
    return dreamSimBranches(await openWeights(path.join(folder, only)));
  const adapter = adapters[0];
  if (adapters.length !== 1 || !adapter) {
    const has = adapters.length === 0 ? "none" : adapters.join(", ");
    throw new FileError(folder, `expected one *_lora folder with adapter_config.json (DreamSim); found: ${has}`);
  }
  const configFile = path.join(folder, adapter, "adapter_config.json");
  const config = adapterSchema.safeParse(await readJson(configFile));
  if (!config.success) throw new FileError(configFile, "expected the numbers r and lora_alpha");
  const weightFile = ["adapter_model.safetensors", "adapter_model.bin"].find((n) =>
    existsSync(path.join(folder, adapter, n)),
  );
  if (!weightFile)
    throw new FileError(path.join(folder, adapter), "adapter_model.safetensors or adapter_model.bin is missing");
  const lora = await openWeights(path.join(folder, adapter, weightFile));
  const scale = config.data.lora_alpha / config.data.r;
  const towers = new Map<BranchKind, WeightIndex>();
  for (const name of names) {
    const kind = TOWER_FILES.find(([pattern]) => pattern.test(name))?.[1];
    if (kind) towers.set(kind, await openWeights(path.join(folder, name)));
  }
  const count = new Set([...lora.weights.keys()].map((k) => /extractor_list\.(\d+)\./.exec(k)?.[1])).size;
  const found = ORDER.filter((kind) => towers.has(kind));
  if (found.length !== count) {
    throw new FileError(
      folder,
      `the LoRA is for ${counted(count, "tower")}; found ${found.length}: ${found.join(", ") || "none"}`,
    );
  }
  return found.flatMap((kind, i) => {
    const index = towers.get(kind);
    const branch = index && dreamSimBranches(index)[0];
    const prefix = `base_model.model.extractor_list.${i}.model.`;
    return branch ? [{ ...branch, kind, lora: { index: lora, prefix, scale } }] : [];
  });
}

/**
 * Opens LPIPS: `TRUNK,HEADS`, torchvision's AlexNet or VGG-16 and the package's weights of layers, or one folder that holds both.
 * @throws RequestError when one of them is not named
 */
export async function openLpips(
  ref: string,
  runtime: Runtime,
  { precision, ...lookup }: InstrumentOptions = {},
): Promise<Instrument> {
  const [trunkFile, headsFile] = await lpipsFiles(ref, lookup);
  const [trunk, heads] = [await openWeights(trunkFile), await openWeights(headsFile)];
  if (!heads.weights.has("lin0.model.1.weight")) {
    throw new FileError(
      headsFile,
      "lin0.model.1.weight is missing; expected the linear heads, which the package lpips has in weights/v0.1",
    );
  }
  return createLpips(trunk, heads, await hashed([trunkFile, headsFile]), runtime, precision);
}

const WEIGHT_FILE = /\.(pth|pt|bin|safetensors)$/;

/**
 * The files of trunk and heads: two references around a comma, or a folder that holds both. Paths may contain commas themselves: a
 * folder that exists is one reference, and of several commas the one with existing paths on its sides separates.
 * @throws RequestError when one of the two is missing or the commas are ambiguous; FileError when a file is not found
 */
export async function lpipsFiles(ref: string, lookup: LookupOptions = {}): Promise<readonly [string, string]> {
  if (isFolder(ref)) return lpipsFolder(ref);
  const refused = new RequestError(
    `--lpips ${ref}: give TRUNK,HEADS, such as alexnet-owt-7be5be79.pth,alex.pth, or a folder that holds both`,
  );
  const [best, second] = splitsOf(ref)
    .map((parts) => ({ parts, existing: parts.filter((part) => existsSync(part)).length }))
    .sort((a, b) => b.existing - a.existing);
  if (best && best.existing === second?.existing) throw refused;
  if (best) return [await locate(best.parts[0], "file", lookup), await locate(best.parts[1], "file", lookup)];
  // A single file is refused before it is downloaded.
  if (ref.includes(",") || WEIGHT_FILE.test(ref)) throw refused;
  const place = await locate(ref, "file", lookup);
  if (isFolder(place)) return lpipsFolder(place);
  throw refused;
}

/** Both sides of each comma, where neither is empty. */
function splitsOf(ref: string): (readonly [string, string])[] {
  const parts = ref.split(",");
  return parts.flatMap((_, i) => {
    const [left, right] = [parts.slice(0, i).join(","), parts.slice(i).join(",")];
    return left !== "" && right !== "" ? [[left, right] as const] : [];
  });
}

function lpipsFolder(folder: string): readonly [string, string] {
  const names = readdirSync(folder).filter((name) => WEIGHT_FILE.test(name));
  const trunk = names.find((name) => /^(alexnet|vgg16)/.test(name));
  const heads = names.find((name) => /^(alex|vgg)\./.test(name));
  if (trunk && heads) return [path.join(folder, trunk), path.join(folder, heads)];
  throw new FileError(
    folder,
    `LPIPS needs alexnet*.pth or vgg16*.pth and alex.pth or vgg.pth; it has: ${names.join(", ") || "neither"}`,
  );
}

/** Opens Inception-v3 with the weights of pytorch-fid or torch-fidelity. */
export async function openInception(
  ref: string,
  runtime: Runtime,
  preparation: FidPreparation = "tensorflow",
  { precision, ...lookup }: InstrumentOptions = {},
): Promise<InceptionInstrument> {
  const index = await openWeights(await locate(ref, "file", lookup));
  return createInception({ index, hashes: await hashed(filesOf(index)) }, runtime, preparation, precision);
}
