/** The networks that look at pictures, opened from the files people have: each says what it is, how it prepares a picture, how it tells two apart. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readdirSync, statSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { openComponentFolder, openWeights, readJson } from "../checkpoint/index.js";
import { FileError, RequestError } from "../errors.js";
import { locate, type Sources } from "../lookup/index.js";
import {
  type BranchKind,
  type DreamSimBranch,
  drawDreamSim,
  drawInception,
  drawLpips,
  drawVit,
  dreamSimBranches,
  INCEPTION_SIDE,
  parseVitConfig,
  trunkOf,
  vitConfigOf,
} from "../models/index.js";
import { NO_WEIGHTS, network } from "../networks/index.js";
import type { Runtime } from "../runtime/index.js";
import {
  type FloatTensor,
  float,
  fromRgb,
  type RgbImage,
  resizeAndCrop,
  resizeBicubic,
  resizeBicubicFloat,
  resizeBilinearTensorflow,
  stack,
  type WeightIndex,
} from "../tensor/index.js";
import { floats } from "../text/index.js";
import { inBatches, rows } from "./clip.js";

/** What a number was measured with. */
export interface InstrumentFacts {
  readonly name: string;
  readonly network: string;
  /** The files of the weights and the hash of their bytes. */
  readonly weights: readonly { readonly file: string; readonly sha256: string }[];
  /** From a file's pixels to the network's input. */
  readonly preparation: string;
}

/** Tells pictures apart. */
export interface Instrument {
  readonly facts: InstrumentFacts;
  /** Distance of two pictures: 1 − cosine of their features, or the squared length of their difference. */
  readonly distance: "cosine" | "squared";
  features(images: readonly RgbImage[]): Promise<Float32Array[]>;
}

/** Inception also sorts into classes. */
export interface InceptionInstrument {
  readonly facts: InstrumentFacts;
  /** Features [2048] and logits [1008] of each picture. */
  read(images: readonly RgbImage[]): Promise<{ features: Float32Array; logits: Float32Array }[]>;
}

const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/** Files of weights with the hash of their bytes, by their base names. */
export async function hashed(files: readonly string[]): Promise<InstrumentFacts["weights"]> {
  const found = [];
  for (const file of files) {
    const hash = createHash("sha256");
    for await (const part of createReadStream(file)) hash.update(part);
    found.push({ file: path.basename(file), sha256: hash.digest("hex") });
  }
  return found;
}

/** The files that weights lie in. */
export const filesOf = (index: WeightIndex): string[] =>
  [...new Set([...index.weights.values()].map((w) => w.bytes.file))].sort();

const isFolder = (file: string) => existsSync(file) && statSync(file).isDirectory();

/** Opens DINO or DINOv2: a transformers folder, or a file of weights from the original releases. */
export async function openDino(ref: string, runtime: Runtime, sources: Sources = {}): Promise<Instrument> {
  const place = await locate(ref, "vision", sources);
  const folder = isFolder(place) ? await openComponentFolder(place) : null;
  const index = folder ? await folder.weights() : await openWeights(place);
  const config = folder ? parseVitConfig({ file: folder.configFile, config: folder.config }) : vitConfigOf(index);
  const side = config.imageSize;
  // Drawn once for its checks: weights of another network are refused before any picture is looked at.
  drawVit(config, index);
  const tower = network(
    "dino",
    runtime,
    (_: "dino", weights) => drawVit(config, weights),
    async () => index,
  );
  return {
    facts: {
      name: "dino",
      network: folder ? folder.className : "ViT in the original layout",
      weights: await hashed(filesOf(index)),
      preparation: `shorter side to 256 (Pillow bicubic), middle ${side} × ${side}, ImageNet mean and deviation`,
    },
    distance: "cosine",
    features: (images) =>
      inBatches(images, async (some) => {
        const pixels = some.map((i) => fromRgb(cropped(i, 256, side), IMAGENET.mean, IMAGENET.std));
        return rows(floats((await tower.run("dino", { image: stack(pixels) })).outputs["features"]));
      }),
  };
}

/** Shorter side to `size`, then the middle `side` × `side`. */
function cropped(image: RgbImage, size: number, side: number): RgbImage {
  const square = resizeAndCrop(image, size);
  const margin = Math.floor((size - side) / 2);
  const data = new Uint8Array(side * side * 3);
  for (let y = 0; y < side; y++) {
    const from = ((margin + y) * size + margin) * 3;
    data.set(square.data.subarray(from, from + side * 3), y * side * 3);
  }
  return { width: side, height: side, data };
}

const adapterSchema = z.object({ r: z.number().positive(), lora_alpha: z.number() });

/** Branches by the name of the file that DreamSim's release keeps a tower in. */
const TOWER_FILES: readonly (readonly [RegExp, BranchKind])[] = [
  [/^open_clip_vitb\d+_pretrain/, "open_clip"],
  [/^clip_vitb\d+_pretrain/, "clip"],
  [/^dino_vit(b|base)16_pretrain/, "dino"],
];
const ORDER: readonly BranchKind[] = ["dino", "clip", "open_clip"];

/**
 * Opens DreamSim: a file with its LoRA merged in, or the folder of its release: towers (`*_pretrain.pth*`) beside a `*_lora` folder
 * with adapter_config.json. @throws FileError saying what is missing
 */
export async function openDreamSim(ref: string, runtime: Runtime, sources: Sources = {}): Promise<Instrument> {
  const place = await locate(ref, "vision", sources);
  const branches = isFolder(place) ? await releasedBranches(place) : dreamSimBranches(await openWeights(place));
  drawDreamSim(branches);
  const towers = network("dreamsim", runtime, (_: "dreamsim") => drawDreamSim(branches), NO_WEIGHTS);
  const kinds = branches.map((b) => b.kind).join(" + ");
  const files = branches.flatMap((b) => [...filesOf(b.index), ...(b.lora ? filesOf(b.lora.index) : [])]);
  return {
    facts: {
      name: "dreamsim",
      network: `DreamSim (${kinds})`,
      weights: await hashed([...new Set(files)]),
      preparation: "224 × 224 whatever the shape (Pillow bicubic), 0…1, each tower's own mean and deviation",
    },
    distance: "cosine",
    features: (images) =>
      inBatches(
        images,
        async (some) => {
          const pixels = some.map((i) => fromRgb(resizeBicubic(i, 224, 224), [0, 0, 0], [1, 1, 1]));
          return rows(floats((await towers.run("dreamsim", { image: stack(pixels) })).outputs["features"]));
        },
        8,
      ),
  };
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
    throw new FileError(folder, `a DreamSim folder has one *_lora folder with adapter_config.json; found: ${has}`);
  }
  const configFile = path.join(folder, adapter, "adapter_config.json");
  const config = adapterSchema.safeParse(await readJson(configFile));
  if (!config.success) throw new FileError(configFile, "has no numbers r and lora_alpha");
  const weightFile = ["adapter_model.safetensors", "adapter_model.bin"].find((n) =>
    existsSync(path.join(folder, adapter, n)),
  );
  if (!weightFile)
    throw new FileError(path.join(folder, adapter), "holds no adapter_model.safetensors or adapter_model.bin");
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
      `its LoRA is for ${count} towers; there are files of ${found.length}: ${found.join(", ") || "none"}`,
    );
  }
  return found.flatMap((kind, i) => {
    const index = towers.get(kind);
    const branch = index && dreamSimBranches(index)[0];
    const prefix = `base_model.model.extractor_list.${i}.model.`;
    return branch ? [{ ...branch, kind, lora: { index: lora, prefix, scale } }] : [];
  });
}

/** Pictures larger than this are made smaller for LPIPS: its features grow with every pixel. */
const LPIPS_SIDE = 256;

/**
 * Opens LPIPS: `TRUNK,HEADS`, torchvision's AlexNet or VGG-16 and the package's weights of layers, or one folder that holds both.
 * @throws RequestError when one of them is not named
 */
export async function openLpips(ref: string, runtime: Runtime, sources: Sources = {}): Promise<Instrument> {
  const [trunkFile, headsFile] = await lpipsFiles(ref, sources);
  const [trunk, heads] = [await openWeights(trunkFile), await openWeights(headsFile)];
  const name = trunkOf(trunk);
  if (!heads.weights.has("lin0.model.1.weight")) {
    throw new FileError(
      headsFile,
      "holds no weights of layers (lin0.model.1.weight); they ship in the package lpips as weights/v0.1",
    );
  }
  drawLpips(trunk, heads, 64, 64);
  const layers = network(
    "lpips",
    runtime,
    ({ height, width }: { height: number; width: number }, weights) => drawLpips(weights, heads, height, width),
    async () => trunk,
  );
  return {
    facts: {
      name: "lpips",
      network: `LPIPS 0.1 (${name})`,
      weights: await hashed([trunkFile, headsFile]),
      preparation: `as it is up to ${LPIPS_SIDE} pixels, longer sides to ${LPIPS_SIDE} (Pillow bicubic), −1…1`,
    },
    distance: "squared",
    features: (images) =>
      inBatches(
        images,
        async (some) => {
          const pixels = some.map((i) => fromRgb(atMost(i, LPIPS_SIDE)));
          const [, , height = 0, width = 0] = pixels[0]?.shape ?? [];
          return rows(floats((await layers.run({ height, width }, { image: stack(pixels) })).outputs["features"])).map(
            (f) => f.slice(),
          );
        },
        4,
      ),
  };
}

const WEIGHT_FILE = /\.(pth|pt|bin|safetensors)$/;

async function lpipsFiles(ref: string, sources: Sources): Promise<[string, string]> {
  const [trunk, heads, ...more] = ref.split(",");
  if (trunk && heads && more.length === 0) {
    return [await locate(trunk, "file", sources), await locate(heads, "file", sources)];
  }
  const refused = new RequestError(
    `--lpips ${ref}: give TRUNK,HEADS, such as alexnet-owt-7be5be79.pth,alex.pth, or a folder that holds both`,
  );
  if (heads !== undefined || WEIGHT_FILE.test(ref)) throw refused;
  const place = await locate(ref, "file", sources);
  if (isFolder(place)) {
    const names = readdirSync(place).filter((n) => WEIGHT_FILE.test(n));
    const trunk = names.find((n) => /^(alexnet|vgg16)/.test(n));
    const heads = names.find((n) => /^(alex|vgg)\./.test(n));
    if (trunk && heads) return [path.join(place, trunk), path.join(place, heads)];
    throw new FileError(
      place,
      `LPIPS needs alexnet*.pth or vgg16*.pth and alex.pth or vgg.pth; it has: ${names.join(", ") || "neither"}`,
    );
  }
  throw refused;
}

/** The picture, its longer side at most `side`. */
function atMost(image: RgbImage, side: number): RgbImage {
  const by = side / Math.max(image.width, image.height);
  if (by >= 1) return image;
  return resizeBicubic(image, Math.max(1, Math.round(image.width * by)), Math.max(1, Math.round(image.height * by)));
}

/** How Inception's input is made: as FID was defined, or antialiased as in clean-fid. */
export type FidPreparation = "tensorflow" | "clean";

/** Opens Inception-v3 with the weights of pytorch-fid or torch-fidelity. */
export async function openInception(
  ref: string,
  runtime: Runtime,
  preparation: FidPreparation = "tensorflow",
  sources: Sources = {},
): Promise<InceptionInstrument> {
  const index = await openWeights(await locate(ref, "file", sources));
  drawInception(index);
  const net = network(
    "inception",
    runtime,
    (_: "inception", weights) => drawInception(weights),
    async () => index,
  );
  return {
    facts: {
      name: "inception",
      network: "Inception-v3 (TensorFlow 2015-12-05)",
      weights: await hashed(filesOf(index)),
      preparation:
        preparation === "clean"
          ? "299 × 299 (clean-fid: Pillow bicubic without rounding), (x − 128) / 128"
          : "299 × 299 (TensorFlow 1 bilinear), (x − 128) / 128",
    },
    read: (images) =>
      inBatches(
        images,
        async (some) => {
          const { outputs } = await net.run("inception", {
            image: stack(some.map((i) => inceptionInput(i, preparation))),
          });
          const logits = rows(floats(outputs["logits"]));
          return rows(floats(outputs["features"])).map((features, i) => ({
            features,
            logits: logits[i] ?? new Float32Array(),
          }));
        },
        16,
      ),
  };
}

function inceptionInput(image: RgbImage, preparation: FidPreparation): FloatTensor {
  const resize = preparation === "clean" ? resizeBicubicFloat : resizeBilinearTensorflow;
  const { shape, data } = resize(image, INCEPTION_SIDE, INCEPTION_SIDE);
  return float(
    shape,
    data.map((v) => (v - 128) / 128),
  );
}
