/** safetensors format: a JSON header with the location of each tensor. Reads the header only, and validates every field. */
import { z } from "zod";
import { FileError } from "../errors.js";
import {
  type BlockFormat,
  BYTES,
  type ByteSource,
  bytesOf,
  count,
  type FloatTensor,
  type Weight,
  type WeightType,
} from "../tensor/index.js";
import { withScales } from "./float8-scales.js";

const TYPES: Readonly<Record<string, WeightType>> = {
  F64: "float64",
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
  I64: "int64",
  I32: "int32",
  I16: "int16",
  I8: "int8",
  U8: "uint8",
  BOOL: "bool",
};
const FLOAT8: Readonly<Record<string, BlockFormat>> = { F8_E4M3: "f8_e4m3", F8_E5M2: "f8_e5m2" };

/** Limit of the reference implementation. */
const MAX_HEADER = 100_000_000;

const index = z.int().nonnegative();
const entrySchema = z.object({ dtype: z.string(), shape: z.array(index), data_offsets: z.tuple([index, index]) });
const headerSchema = z.record(z.string(), z.unknown());

export interface Safetensors {
  readonly weights: ReadonlyMap<string, Weight>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Reads the location of every tensor. @throws FileError with the invalid field and the expected value */
export async function readSafetensors(source: ByteSource): Promise<Safetensors> {
  const { name: file, size } = source;
  if (size < 8) throw new FileError(file, `is no safetensors file: ${size} bytes are less than its first number`);
  const first = await source.read(0, 8);
  const length = Number(new DataView(first.buffer, first.byteOffset).getBigUint64(0, true));
  if (length > MAX_HEADER || length > size - 8) {
    throw new FileError(
      file,
      `is no safetensors file, or cut short: its header says ${length} bytes, the file has ${size - 8} after it`,
    );
  }
  const start = 8 + length;
  const header = parseHeader(file, await source.read(8, length));
  const weights = new Map<string, Weight>();
  const spans: { name: string; from: number; to: number }[] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const parsed = entrySchema.safeParse(value);
    if (!parsed.success) throw new FileError(file, `the header's entry ${name} is not dtype, shape and data_offsets`);
    const {
      dtype: word,
      shape,
      data_offsets: [from, to],
    } = parsed.data;
    const dtype = Object.hasOwn(TYPES, word) ? TYPES[word] : undefined;
    const float8 = Object.hasOwn(FLOAT8, word) ? FLOAT8[word] : undefined;
    // The size of an unknown type is not known.
    const bytes = dtype || float8 ? count(shape) * (dtype ? BYTES[dtype] : 1) : Math.max(0, to - from);
    if (to - from !== bytes) {
      throw new FileError(
        file,
        `${name} is [${shape.join(", ")}] ${word}, ${bytes} bytes; its offsets hold ${to - from}`,
      );
    }
    if (start + to > size) {
      throw new FileError(
        file,
        `is cut short: ${name} ends at byte ${start + to}, the file at ${size}; fetch it again`,
      );
    }
    spans.push({ name, from, to });
    const place = { source, offset: start + from, length: bytes };
    weights.set(name, {
      name,
      dtype: dtype ?? "float32",
      shape,
      bytes: dtype
        ? { in: "source", ...place }
        : float8
          ? { in: "blocks", ...place, format: float8, skip: 0 }
          : { in: "unsupported", ...place, format: word },
    });
  }
  mustNotOverlap(file, spans);
  const metadata = z.record(z.string(), z.string()).safeParse(header["__metadata__"] ?? {});
  return { weights: await withScales(weights), metadata: metadata.success ? metadata.data : {} };
}

function parseHeader(file: string, bytes: Uint8Array): Record<string, unknown> {
  try {
    return headerSchema.parse(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
  } catch (cause) {
    throw new FileError(file, "is no safetensors file: its header is not a JSON object", { cause });
  }
}

/** @throws FileError naming two tensors that share bytes */
export function mustNotOverlap(file: string, spans: { name: string; from: number; to: number }[]): void {
  const sorted = spans.filter((s) => s.to > s.from).sort((a, b) => a.from - b.from);
  for (const [i, span] of sorted.entries()) {
    const before = sorted[i - 1];
    if (before && before.to > span.from) throw new FileError(file, `${before.name} and ${span.name} overlap`);
  }
}

/** Header entry of a tensor. */
export interface Headed {
  readonly name: string;
  /** Default float32. */
  readonly dtype?: WeightType;
  readonly shape: readonly number[];
}

const wordOf = (dtype: WeightType): string => Object.keys(TYPES).find((word) => TYPES[word] === dtype) ?? dtype;

/** Header with its length, padded to align the tensors to eight bytes, as the reference implementation does. */
export function head(tensors: readonly Headed[], metadata: Readonly<Record<string, string>>): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let end = 0;
  for (const { name, dtype = "float32", shape } of tensors) {
    const bytes = count(shape) * BYTES[dtype];
    header[name] = { dtype: wordOf(dtype), shape, data_offsets: [end, end + bytes] };
    end += bytes;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const out = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20, 8);
  new DataView(out.buffer).setBigUint64(0, BigInt(out.length - 8), true);
  out.set(text, 8);
  return out;
}

/** Serialises float32 tensors in the order of their names in the map. */
export function safetensors(
  tensors: Readonly<Record<string, FloatTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const start = head(
    Object.entries(tensors).map(([name, { shape }]) => ({ name, shape })),
    metadata,
  );
  const out = new Uint8Array(start.length + Object.values(tensors).reduce((n, t) => n + t.data.byteLength, 0));
  out.set(start);
  let at = start.length;
  for (const tensor of Object.values(tensors)) {
    out.set(bytesOf(tensor.data), at);
    at += tensor.data.byteLength;
  }
  return out;
}
