/** GGUF files as stable-diffusion.cpp and ComfyUI-GGUF lay them out, with plain quantisers of two block formats. */
import { writeFileSync } from "node:fs";
import { BLOCKS, type BlockFormat, count, type FloatTensor } from "../../src/tensor/index.js";

/** Types that are written here, by ggml's numbers for them. */
const NUMBERS = { float32: 0, float16: 1, q4_0: 2, q8_0: 8, q4_k: 12 } as const;
export type Stored = keyof typeof NUMBERS;

export interface GgufTensor {
  readonly name: string;
  /** Slowest dimension first. */
  readonly shape: readonly number[];
  /** ggml's number for the type. */
  readonly type: number;
  readonly bytes: Uint8Array;
}

export interface GgufFacts {
  readonly version?: number;
  /** Words, lists of int32, of float32 and of words. */
  readonly metadata?: Readonly<Record<string, string | readonly number[] | Float32Array | readonly string[]>>;
  readonly tensors: readonly GgufTensor[];
  /** Instead of what is true, for files that lie. */
  readonly claims?: {
    readonly tensors?: bigint;
    readonly values?: bigint;
    readonly offsets?: readonly bigint[];
    readonly dimensions?: readonly bigint[];
  };
}

const ALIGNMENT = 32;

/** A file of the format, byte for byte. */
export function ggufFile({ version = 3, metadata = {}, tensors, claims = {} }: GgufFacts): Uint8Array {
  const parts: Buffer[] = [];
  const u32 = (n: number) => {
    const b = Buffer.alloc(4);
    b.writeUInt32LE(n);
    parts.push(b);
  };
  const u64 = (n: number | bigint) => {
    const b = Buffer.alloc(8);
    b.writeBigUInt64LE(BigInt(n));
    parts.push(b);
  };
  const word = (text: string) => {
    u64(Buffer.byteLength(text));
    parts.push(Buffer.from(text));
  };
  parts.push(Buffer.from("GGUF"));
  u32(version);
  u64(claims.tensors ?? tensors.length);
  u64(claims.values ?? Object.keys(metadata).length);
  for (const [key, value] of Object.entries(metadata)) {
    word(key);
    if (typeof value === "string") {
      u32(8);
      word(value);
    } else {
      const isWords = !(value instanceof Float32Array) && typeof value[0] === "string";
      u32(9);
      u32(isWords ? 8 : value instanceof Float32Array ? 6 : 5);
      u64(value.length);
      if (value instanceof Float32Array) parts.push(Buffer.from(value.slice().buffer));
      else for (const n of value) typeof n === "string" ? word(n) : u32(n >>> 0);
    }
  }
  let end = 0;
  for (const [i, { name, shape, type, bytes }] of tensors.entries()) {
    word(name);
    const dimensions = claims.dimensions ?? shape.toReversed();
    u32(dimensions.length);
    for (const d of dimensions) u64(d);
    u32(type);
    u64(claims.offsets?.[i] ?? end);
    end += Math.ceil(bytes.length / ALIGNMENT) * ALIGNMENT;
  }
  const pad = (n: number) => parts.push(Buffer.alloc((ALIGNMENT - (n % ALIGNMENT)) % ALIGNMENT));
  pad(parts.reduce((n, p) => n + p.length, 0));
  for (const { bytes } of tensors) {
    parts.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
    pad(bytes.length);
  }
  return Buffer.concat(parts);
}

/**
 * Writes tensors as ComfyUI-GGUF does: what the format cannot hold stays float32, and a kernel becomes rows of 256 values with a
 * word about the shape it had. Gives the file's path.
 */
export function writeGguf(
  file: string,
  tensors: Readonly<Record<string, FloatTensor>>,
  stored: (name: string) => Stored,
  metadata: Readonly<Record<string, string>> = {},
): string {
  const shapes: Record<string, readonly number[]> = {};
  const entries = Object.entries(tensors).map(([name, { shape, data }]): GgufTensor => {
    const n = count(shape);
    const rearranged = shape.length > 1 && n % 256 === 0 && (shape.at(-1) ?? 0) % 256 !== 0;
    const wanted = shape.length > 1 ? stored(name) : "float32";
    const type =
      wanted in BLOCKS && (rearranged ? 256 : (shape.at(-1) ?? 0)) % blockOf(wanted) !== 0 ? "float32" : wanted;
    if (rearranged && type in BLOCKS) shapes[`comfy.gguf.orig_shape.${name}`] = shape;
    const kept = rearranged && type in BLOCKS ? [n / 256, 256] : shape;
    return { name, shape: kept, type: NUMBERS[type], bytes: PACK[type](data) };
  });
  writeFileSync(file, ggufFile({ metadata: { ...metadata, ...shapes }, tensors: entries }));
  return file;
}

const blockOf = (stored: Stored): number => (stored in BLOCKS ? BLOCKS[stored as BlockFormat].values : 1);

/** A float16 nearest to a value, by its bits. */
export function halfBits(value: number): number {
  const size = Math.abs(value);
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  if (size === 0) return sign;
  const exponent = Math.max(-14, Math.floor(Math.log2(size)));
  // Rounded to the even neighbour, as hardware does.
  const units = size / 2 ** (exponent - 10);
  const down = Math.floor(units);
  const rounded = units - down > 0.5 || (units - down === 0.5 && down % 2 === 1) ? down + 1 : down;
  if (rounded >= 2048) return sign | (Math.min(31, exponent + 16) << 10);
  return sign | (rounded < 1024 ? rounded : ((exponent + 15) << 10) + rounded - 1024);
}

const PACK: { readonly [S in Stored]: (values: Float32Array) => Uint8Array } = {
  float32: (values) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  float16: (values) => new Uint8Array(Uint16Array.from(values, halfBits).buffer),
  // The value of the largest magnitude is code −8.
  q4_0(values) {
    const out = Buffer.alloc((values.length / 32) * 18);
    for (let b = 0; b < values.length / 32; b++) {
      const block = values.subarray(32 * b, 32 * b + 32);
      const d = block.reduce((most, v) => (Math.abs(v) > Math.abs(most) ? v : most), 0) / -8;
      out.writeUInt16LE(halfBits(d), 18 * b);
      const code = (i: number) => (d === 0 ? 8 : Math.min(15, Math.round((block[i] ?? 0) / d) + 8));
      for (let i = 0; i < 16; i++) out[18 * b + 2 + i] = code(i) | (code(i + 16) << 4);
    }
    return out;
  },
  q8_0(values) {
    const out = Buffer.alloc((values.length / 32) * 34);
    for (let b = 0; b < values.length / 32; b++) {
      const block = values.subarray(32 * b, 32 * b + 32);
      const d = Math.max(...block.map(Math.abs)) / 127;
      out.writeUInt16LE(halfBits(d), 34 * b);
      for (const [i, v] of block.entries()) out.writeInt8(d === 0 ? 0 : Math.round(v / d), 34 * b + 2 + i);
    }
    return out;
  },
  // Eight runs of 32 values, each from its least to its largest in fifteen steps; both in 63 parts of the block's largest.
  q4_k(values) {
    const out = Buffer.alloc((values.length / 256) * 144);
    for (let b = 0; b < values.length / 256; b++) {
      const at = 144 * b;
      const runs = Array.from({ length: 8 }, (_, s) => values.subarray(256 * b + 32 * s, 256 * b + 32 * s + 32));
      const least = runs.map((r) => Math.max(0, -Math.min(...r)));
      const steps = runs.map((r, s) => Math.max(0, Math.max(...r) + (least[s] ?? 0)) / 15);
      const [d, dmin] = [Math.max(...steps) / 63, Math.max(...least) / 63];
      out.writeUInt16LE(halfBits(d), at);
      out.writeUInt16LE(halfBits(dmin), at + 2);
      const part = (v: number, of: number) => (of === 0 ? 0 : Math.min(63, Math.round(v / of)));
      for (const [s, run] of runs.entries()) {
        const [scale, min] = [part(steps[s] ?? 0, d), part(least[s] ?? 0, dmin)];
        const byte = (i: number, bits: number) => out.writeUInt8(out.readUInt8(at + 4 + i) | bits, at + 4 + i);
        if (s < 4) {
          byte(s, scale);
          byte(s + 4, min);
        } else {
          byte(s + 4, (scale & 15) | ((min & 15) << 4));
          byte(s - 4, (scale >> 4) << 6);
          byte(s, (min >> 4) << 6);
        }
        for (const [i, v] of run.entries()) {
          const q = scale === 0 ? 0 : Math.max(0, Math.min(15, Math.round((v + dmin * min) / (d * scale))));
          const place = at + 16 + 32 * (s >> 1) + i;
          out.writeUInt8(out.readUInt8(place) | (q << (4 * (s & 1))), place);
        }
      }
    }
    return out;
  },
};
