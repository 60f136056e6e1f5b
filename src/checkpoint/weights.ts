/** Reads the tensors of a file in any container format, and the values of a weight from any storage. */
import { FileError } from "../errors.js";
import {
  BYTES,
  type ByteSource,
  count,
  type FloatTensor,
  float,
  fromBfloat16,
  fromFloat16,
  isPacked,
  PACKED,
  type Weight,
  type WeightIndex,
} from "../tensor/index.js";
import type { Codes } from "./blocks.js";
import { type Container, containerOf } from "./container.js";
import { readSafetensors } from "./safetensors.js";

const ENDINGS = [".safetensors", ".sft", ".gguf", ".bin", ".pt", ".pth", ".ckpt", ".tar"];

/** Tensors of a file, with the metadata of safetensors. */
export interface FileWeights extends WeightIndex {
  readonly metadata: Readonly<Record<string, string>>;
}

/** Reader of each container format; loaded when it is needed, so that a page starts without those of other formats. */
const READERS: { readonly [C in Container]: (source: ByteSource) => Promise<Omit<FileWeights, "source">> } = {
  safetensors: readSafetensors,
  async torch(source) {
    const { readTorchFile } = await import("./torchzip.js");
    return { weights: await readTorchFile(source), metadata: {} };
  },
  async gguf(source) {
    const { readGguf } = await import("./gguf.js");
    return { weights: (await readGguf(source)).weights, metadata: {} };
  },
};

/** Container by file extension, for files with unknown first bytes: its reader reports the error. */
const BY_ENDING: Readonly<Record<string, Container>> = {
  ".safetensors": "safetensors",
  ".sft": "safetensors",
  ".gguf": "gguf",
};

/** Reads the location of each tensor; the content decides the format, not the extension. @throws FileError describing other content */
export async function readWeights(source: ByteSource): Promise<FileWeights> {
  const { name } = source;
  const ending = /\.[^./\\]*$/.exec(name)?.[0].toLowerCase() ?? "";
  const container = (await containerOf(source)) ?? BY_ENDING[ending] ?? "torch";
  try {
    return { source: name, ...(await READERS[container](source)) };
  } catch (error) {
    if (ENDINGS.includes(ending) || !(error instanceof FileError)) throw error;
    throw new FileError(name, `weights are read from ${ENDINGS.join(", ")} files`, { cause: error });
  }
}

/** Bytes of a weight in its dtype: read from its source, or dequantised from blocks. Bytes in memory are not copied. */
export async function readBytes({ name, shape, bytes }: Weight): Promise<Uint8Array> {
  if (bytes.in === "memory") return bytes.bytes;
  if (bytes.in === "unsupported") {
    throw new FileError(
      bytes.source.name,
      `${name} is stored as ${bytes.format}, which is not supported; save it as float16`,
    );
  }
  const stored = await bytes.source.read(bytes.offset, bytes.length);
  if (bytes.in === "source") return stored;
  // Loaded where a file has blocks.
  const { unpack } = await import("./blocks.js");
  const values = unpack(bytes.format, stored).subarray(bytes.skip, bytes.skip + count(shape));
  const { scale } = bytes;
  if (scale !== undefined) for (let i = 0; i < values.length; i++) values[i] = (values[i] ?? 0) * scale;
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Codes of a weight in blocks, without those of other weights in its first and last block. @throws RangeError for another weight */
export async function readCodes({ name, shape, bytes }: Weight): Promise<Codes> {
  if (bytes.in !== "blocks" || !isPacked(bytes.format)) throw new RangeError(`${name} is not stored in integer codes`);
  const { format, skip } = bytes;
  const { decode } = await import("./blocks.js");
  const all = decode(format, await bytes.source.read(bytes.offset, bytes.length));
  const { run } = PACKED[format];
  const [from, to] = [skip, skip + count(shape)];
  return {
    codes: all.codes.subarray(from, to),
    scales: all.scales.subarray(from / run, to / run),
    minima: all.minima.subarray(from / run, to / run),
  };
}

/** Values of a small weight as a float32 copy. */
export async function readFloats(weight: Weight): Promise<Float32Array> {
  const { name, dtype, shape, bytes } = weight;
  const file = bytes.source.name;
  const raw = await readBytes(weight);
  const n = count(shape);
  if (raw.length !== n * BYTES[dtype]) throw new FileError(file, `${name} has ${raw.length} bytes for ${n} values`);
  // A copy starts at offset 0 of its buffer, as views of wider types need alignment.
  const { buffer } = new Uint8Array(raw);
  const read: Partial<Record<Weight["dtype"], () => Float32Array>> = {
    float64: () => Float32Array.from(new Float64Array(buffer)),
    float32: () => new Float32Array(buffer),
    float16: () => fromFloat16(new Uint16Array(buffer)),
    bfloat16: () => fromBfloat16(new Uint16Array(buffer)),
  };
  const floats = read[dtype];
  if (!floats) throw new FileError(file, `${name} is ${dtype}; floating point was expected`);
  return floats();
}

/** Reads all tensors of a small file as float32, by name. @throws FileError */
export async function tensorsOf({ weights }: WeightIndex): Promise<Map<string, FloatTensor>> {
  const found = new Map<string, FloatTensor>();
  for (const [name, weight] of weights) found.set(name, float(weight.shape, await readFloats(weight)));
  return found;
}
