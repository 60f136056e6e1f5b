/**
 * GGUF format, as stable-diffusion.cpp and ComfyUI-GGUF write it: metadata, a table of tensors, then their bytes.
 * Reads the header only, in pieces, and validates every field.
 */
import { FileError } from "../errors.js";
import { recognise, SUPPORTED_FAMILIES } from "../families/index.js";
import {
  BLOCKS,
  type BlockFormat,
  BYTES,
  type ByteSource,
  count,
  type Weight,
  type WeightType,
} from "../tensor/index.js";
import { type Head, openHead, type Value } from "./gguf-head.js";
import { mustNotOverlap } from "./safetensors.js";

export interface Gguf {
  readonly weights: ReadonlyMap<string, Weight>;
  /** Strings, integers and shapes; `general.architecture` identifies the model. */
  readonly metadata: ReadonlyMap<string, Value>;
}

/** A tensor has at most four dimensions in ggml, each of which fits an int32. */
const MAX_DIMENSIONS = 4;
const MAX_DIMENSION = 2 ** 31 - 1;
/** Tensor types by ggml_type. */
const TYPES: Readonly<Record<number, WeightType | BlockFormat>> = {
  0: "float32",
  1: "float16",
  2: "q4_0",
  3: "q4_1",
  6: "q5_0",
  7: "q5_1",
  8: "q8_0",
  10: "q2_k",
  11: "q3_k",
  12: "q4_k",
  13: "q5_k",
  14: "q6_k",
  20: "iq4_nl",
  23: "iq4_xs",
  28: "float64",
  30: "bfloat16",
};

const isBlocks = (type: WeightType | BlockFormat): type is BlockFormat => Object.hasOwn(BLOCKS, type);

/** Titles of unsupported models in GGUF files, by `general.architecture`. */
const OTHERS: Readonly<Record<string, string>> = {
  flux: "FLUX",
  sd3: "Stable Diffusion 3",
  aura: "AuraFlow",
  hidream: "HiDream",
  cosmos: "Cosmos",
  ltxv: "LTX-Video",
  hyvid: "HunyuanVideo",
  wan: "Wan",
  lumina2: "Lumina 2",
  qwen2vl: "Qwen2.5-VL, a text encoder",
  t5encoder: "T5, a text encoder",
  qwen_image: "Qwen-Image",
};
/** `general.architecture` of supported UNets; stable-diffusion.cpp omits it. Those of transformers are shared by several families. */
const OWN = ["sd1", "sd2", "sdxl"];
const UNET = /(^|\.)(input_blocks\.0\.0|conv_in)\.weight$/;

/** Reads the location of every tensor. @throws FileError with the invalid field and the expected value */
export async function readGguf(source: ByteSource): Promise<Gguf> {
  const { name: file } = source;
  const { head, tensors, words } = await openHead(source);
  const metadata = new Map<string, Value>();
  for (let i = 0; i < words; i++) {
    const key = await head.word();
    const value = await head.value(await head.whole(4));
    if (value !== undefined) metadata.set(key, value);
  }
  const entries: Entry[] = [];
  for (let i = 0; i < tensors; i++) entries.push(await readEntry(file, head));
  const alignment = metadata.get("general.alignment") ?? 32;
  if (typeof alignment !== "number" || alignment < 8 || alignment > 65_536 || alignment % 8 !== 0) {
    throw new FileError(file, `general.alignment = ${String(alignment)}; a multiple of 8 was expected`);
  }
  const start = Math.ceil(head.at() / alignment) * alignment;
  mustBeDrawn(file, metadata.get("general.architecture"), entries);
  const weights = new Map<string, Weight>();
  for (const entry of entries) {
    if (weights.has(entry.name)) throw new FileError(file, `has two tensors called ${entry.name}`);
    weights.set(entry.name, weightOf(source, entry, start, metadata.get(`comfy.gguf.orig_shape.${entry.name}`)));
  }
  // Overlapping tensors would let a small file expand to any amount of memory.
  mustNotOverlap(
    file,
    entries.map(({ name, offset, bytes }) => ({ name, from: offset, to: offset + bytes })),
  );
  return { weights, metadata };
}

/** Entry of the tensor table. */
interface Entry {
  readonly name: string;
  /** Slowest dimension first; ggml stores the reverse. */
  readonly shape: readonly number[];
  readonly type: WeightType | BlockFormat;
  /** Relative to the start of the tensor data. */
  readonly offset: number;
  readonly bytes: number;
}

async function readEntry(file: string, head: Head): Promise<Entry> {
  const name = await head.word();
  const dimensions = await head.whole(4);
  if (dimensions > MAX_DIMENSIONS) {
    throw new FileError(file, `${name} has ${dimensions} dimensions; ggml has at most ${MAX_DIMENSIONS}`);
  }
  const reversed: number[] = [];
  for (let d = 0; d < dimensions; d++) reversed.push(await head.whole(8));
  const number = await head.whole(4);
  const offset = await head.whole(8);
  const type = Object.hasOwn(TYPES, number) ? TYPES[number] : undefined;
  if (!type) {
    const known = [...new Set(Object.values(TYPES))].join(", ");
    throw new FileError(file, `${name} is stored as ggml's type ${number}; known are ${known}`);
  }
  const shape = reversed.toReversed();
  const wrong = shape.find((d) => d < 1 || d > MAX_DIMENSION);
  if (wrong !== undefined) {
    throw new FileError(
      file,
      `${name} is [${shape.join(", ")}]; a dimension from 1 to ${MAX_DIMENSION} was expected, not ${wrong}`,
    );
  }
  const values = count(shape);
  const block = isBlocks(type) ? BLOCKS[type] : { values: 1, bytes: BYTES[type] };
  if (!Number.isSafeInteger(values * block.bytes)) {
    throw new FileError(file, `${name} is [${shape.join(", ")}]; no file holds so many values`);
  }
  if ((reversed[0] ?? 1) % block.values !== 0) {
    throw new FileError(
      file,
      `${name} is [${shape.join(", ")}] in ${type}, whose blocks hold ${block.values} values of one row`,
    );
  }
  return { name, shape, type, offset, bytes: (values / block.values) * block.bytes };
}

function weightOf(source: ByteSource, entry: Entry, start: number, original: Value | undefined): Weight {
  const { name, shape, type, bytes } = entry;
  const offset = start + entry.offset;
  if (offset + bytes > source.size) {
    throw new FileError(
      source.name,
      `is cut short: ${name} ends at byte ${offset + bytes}, the file at ${source.size}; fetch it again`,
    );
  }
  // ComfyUI-GGUF reshapes kernels to rows of 256 values and stores the original shape in the metadata.
  if (Array.isArray(original) && (count(original) !== count(shape) || original.some((d) => d < 1))) {
    throw new FileError(
      source.name,
      `${name} is [${shape.join(", ")}], its original shape [${original.join(", ")}]; as many values were expected`,
    );
  }
  const place = { source, offset, length: bytes };
  const base = { name, shape: Array.isArray(original) ? original : shape };
  if (!isBlocks(type)) return { ...base, dtype: type, bytes: { in: "source", ...place } };
  return { ...base, dtype: "float32", bytes: { in: "blocks", format: type, skip: 0, ...place } };
}

/** @throws FileError when the architecture in the metadata is not supported */
function mustBeDrawn(file: string, architecture: unknown, entries: readonly Entry[]): void {
  if (typeof architecture !== "string" || OWN.includes(architecture)) return;
  // Z-Image is written as lumina2, FLUX.2 as flux: the tensors tell.
  const { kind } = recognise(new Map(entries.map(({ name, shape }) => [name, shape])));
  if (kind === "unet" || kind === "text encoder") return;
  const known = Object.hasOwn(OTHERS, architecture) ? OTHERS[architecture] : undefined;
  if (known === undefined && entries.some(({ name }) => UNET.test(name))) return;
  throw new FileError(
    file,
    `is ${known ?? `of the architecture ${JSON.stringify(architecture)}`} (general.architecture); ${SUPPORTED_FAMILIES}`,
  );
}
