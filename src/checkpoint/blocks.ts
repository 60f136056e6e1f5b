/**
 * Dequantises float8 and ggml's block formats (ggml-quants.c): integers of a few bits and their scales. A block of a "K" format has 256 values
 * and a scale for every 16 or 32 of them, which is itself quantised, with a float16 scale per block.
 */
import { BLOCKS, type BlockFormat, float16Values, PACKED, type PackedFormat } from "../tensor/index.js";

/** Integer codes of blocks: value = code · scale (+ minimum) of its run of 16 or 32 values. */
export interface Codes {
  readonly codes: Int8Array;
  readonly scales: Float32Array;
  /** Empty where the format has none. */
  readonly minima: Float32Array;
}

/**
 * Decodes the block at byte `at` into `out`: codes from index `to`, scales and minima from index `run`. `half` reads the float16 at a byte
 * offset.
 */
type Decode = (b: Uint8Array, at: number, out: Codes, to: number, run: number, half: (at: number) => number) => void;

const { fround } = Math;
const signed = (byte: number) => (byte << 24) >> 24;

/** Calls `each` with 32 values of 4 bits, stored in the 16 bytes at `from`: the low halves first, then the high halves. */
function fours(b: Uint8Array, from: number, each: (i: number, q: number) => void): void {
  for (let i = 0; i < 16; i++) {
    const byte = b[from + i] ?? 0;
    each(i, byte & 15);
    each(i + 16, byte >> 4);
  }
}

/** Bit `i` of the 32 bits at `from`, as 16 or 0. */
const fifth = (b: Uint8Array, from: number, i: number) => (((b[from + (i >> 3)] ?? 0) >> (i & 7)) & 1) << 4;

/** Scale and minimum of sub-block `j` in Q4_K and Q5_K: eight of each, six bits wide, in twelve bytes. */
function scaleAndMin(b: Uint8Array, at: number, j: number): [number, number] {
  const byte = (i: number) => b[at + i] ?? 0;
  if (j < 4) return [byte(j) & 63, byte(j + 4) & 63];
  return [(byte(j + 4) & 15) | ((byte(j - 4) >> 6) << 4), (byte(j + 4) >> 4) | ((byte(j) >> 6) << 4)];
}

/** Code book of the IQ4 formats. */
const IQ4 = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113] as const;

/** Rounds every product to float32, as ggml does. */
const DECODE: { readonly [F in PackedFormat]: Decode } = {
  // d, 32 × 4 bits: d (q − 8)
  q4_0(b, at, out, to, run, half) {
    out.scales[run] = half(at);
    fours(b, at + 2, (i, q) => {
      out.codes[to + i] = q - 8;
    });
  },
  // d, m, 32 × 4 bits: d q + m
  q4_1(b, at, out, to, run, half) {
    out.scales[run] = half(at);
    out.minima[run] = half(at + 2);
    fours(b, at + 4, (i, q) => {
      out.codes[to + i] = q;
    });
  },
  // d, 32 fifth bits, 32 × 4 bits: d (q − 16)
  q5_0(b, at, out, to, run, half) {
    out.scales[run] = half(at);
    fours(b, at + 6, (i, q) => {
      out.codes[to + i] = (q | fifth(b, at + 2, i)) - 16;
    });
  },
  // d, m, 32 fifth bits, 32 × 4 bits: d q + m
  q5_1(b, at, out, to, run, half) {
    out.scales[run] = half(at);
    out.minima[run] = half(at + 2);
    fours(b, at + 8, (i, q) => {
      out.codes[to + i] = q | fifth(b, at + 4, i);
    });
  },
  // d, 32 × int8: d q
  q8_0(b, at, out, to, run, half) {
    out.scales[run] = half(at);
    for (let i = 0; i < 32; i++) out.codes[to + i] = b[at + 2 + i] ?? 0;
  },
  // 16 × (4 bits scale, 4 bits minimum), 256 × 2 bits, d, dmin: d s q − dmin m
  q2_k(b, at, out, to, run, half) {
    const [d, dmin] = [half(at + 80), half(at + 82)];
    for (let s = 0; s < 16; s++) {
      const scale = b[at + s] ?? 0;
      out.scales[run + s] = d * (scale & 15);
      out.minima[run + s] = -dmin * (scale >> 4);
      const [from, shift] = [at + 16 + 32 * (s >> 3) + 16 * (s & 1), 2 * ((s >> 1) & 3)];
      for (let i = 0; i < 16; i++) out.codes[to + 16 * s + i] = ((b[from + i] ?? 0) >> shift) & 3;
    }
  },
  // 256 third bits, 256 × 2 bits, 16 × 6 bits scale, d: d (s − 32) (q − 4 where the third bit is not set)
  q3_k(b, at, out, to, run, half) {
    const d = half(at + 108);
    for (let s = 0; s < 16; s++) {
      const low = ((b[at + 96 + (s & 7)] ?? 0) >> (s < 8 ? 0 : 4)) & 15;
      const high = ((b[at + 104 + (s & 3)] ?? 0) >> (2 * (s >> 2))) & 3;
      out.scales[run + s] = d * ((low | (high << 4)) - 32);
      const [half16, shift] = [16 * (s & 1), 2 * ((s >> 1) & 3)];
      for (let i = 0; i < 16; i++) {
        const q = ((b[at + 32 + 32 * (s >> 3) + half16 + i] ?? 0) >> shift) & 3;
        const third = ((b[at + half16 + i] ?? 0) >> (s >> 1)) & 1;
        out.codes[to + 16 * s + i] = third ? q : q - 4;
      }
    }
  },
  // d, dmin, 8 × 6 bits scale and minimum, 256 × 4 bits: d s q − dmin m
  q4_k(b, at, out, to, run, half) {
    const [d, dmin] = [half(at), half(at + 2)];
    for (let s = 0; s < 8; s++) {
      const [scale, min] = scaleAndMin(b, at + 4, s);
      out.scales[run + s] = d * scale;
      out.minima[run + s] = -dmin * min;
      const [from, shift] = [at + 16 + 32 * (s >> 1), 4 * (s & 1)];
      for (let i = 0; i < 32; i++) out.codes[to + 32 * s + i] = ((b[from + i] ?? 0) >> shift) & 15;
    }
  },
  // d, dmin, 8 × 6 bits scale and minimum, 256 fifth bits, 256 × 4 bits: d s q − dmin m
  q5_k(b, at, out, to, run, half) {
    const [d, dmin] = [half(at), half(at + 2)];
    for (let s = 0; s < 8; s++) {
      const [scale, min] = scaleAndMin(b, at + 4, s);
      out.scales[run + s] = d * scale;
      out.minima[run + s] = -dmin * min;
      const [from, shift] = [at + 48 + 32 * (s >> 1), 4 * (s & 1)];
      for (let i = 0; i < 32; i++) {
        const high = (((b[at + 16 + i] ?? 0) >> s) & 1) << 4;
        out.codes[to + 32 * s + i] = (((b[from + i] ?? 0) >> shift) & 15) | high;
      }
    }
  },
  // 256 × low 4 bits, 256 × high 2 bits, 16 × int8 scale, d: d s (q − 32)
  q6_k(b, at, out, to, run, half) {
    const d = half(at + 208);
    for (let s = 0; s < 16; s++) {
      out.scales[run + s] = d * signed(b[at + 192 + s] ?? 0);
      // Each half of the block has 128 values: 64 bytes of low bits and 32 bytes of high bits.
      const [part, group, half16] = [s >> 3, (s >> 1) & 3, 16 * (s & 1)];
      const low = at + 64 * part + 32 * (group & 1) + half16;
      const high = at + 128 + 32 * part + half16;
      for (let i = 0; i < 16; i++) {
        const q = ((b[low + i] ?? 0) >> (4 * (group >> 1))) & 15;
        out.codes[to + 16 * s + i] = (q | ((((b[high + i] ?? 0) >> (2 * group)) & 3) << 4)) - 32;
      }
    }
  },
  // d, 32 × 4 bits: d times one of sixteen values
  iq4_nl(b, at, out, to, run, half) {
    out.scales[run] = half(at);
    fours(b, at + 2, (i, q) => {
      out.codes[to + i] = IQ4[q] ?? 0;
    });
  },
  // d, 8 × high 2 bits of a scale, 8 × its low 4 bits, 256 × 4 bits: d (s − 32) times one of sixteen values
  iq4_xs(b, at, out, to, run, half) {
    const d = half(at);
    for (let s = 0; s < 8; s++) {
      const low = ((b[at + 4 + (s >> 1)] ?? 0) >> (4 * (s & 1))) & 15;
      const high = ((b[at + 2 + (s >> 2)] ?? 0) >> (2 * (s & 3))) & 3;
      out.scales[run + s] = d * ((low | (high << 4)) - 32);
      fours(b, at + 8 + 16 * s, (i, q) => {
        out.codes[to + 32 * s + i] = IQ4[q] ?? 0;
      });
    }
  },
};

/** float8 with 4 bits of exponent (bias 7), 3 of mantissa, NaN and no infinities (Micikevicius et al. 2022, table 1). */
function e4m3(byte: number): number {
  const sign = byte & 0x80 ? -1 : 1;
  const [exponent, mantissa] = [(byte >> 3) & 15, byte & 7];
  if (exponent === 15 && mantissa === 7) return Number.NaN;
  return exponent === 0 ? sign * mantissa * 2 ** -9 : sign * (8 + mantissa) * 2 ** (exponent - 10);
}
const E4M3 = Float32Array.from({ length: 256 }, (_, byte) => e4m3(byte));

/** Values of float8 by their bytes; e5m2 is a float16 without its lower byte. */
const FLOAT8: { readonly [F in Exclude<BlockFormat, PackedFormat>]: (byte: number) => number } = {
  f8_e4m3: (byte) => E4M3[byte] ?? 0,
  f8_e5m2: (byte) => float16Values()[byte << 8] ?? 0,
};

/** Decodes complete blocks to integer codes with their scales and minima. */
export function decode(format: PackedFormat, stored: Uint8Array): Codes {
  const { values, bytes } = BLOCKS[format];
  const { run, minima } = PACKED[format];
  const blocks = Math.floor(stored.length / bytes);
  const runs = (blocks * values) / run;
  const out: Codes = {
    codes: new Int8Array(blocks * values),
    scales: new Float32Array(runs),
    minima: new Float32Array(minima ? runs : 0),
  };
  const table = float16Values();
  const half = (at: number) => table[(stored[at] ?? 0) | ((stored[at + 1] ?? 0) << 8)] ?? 0;
  const one = DECODE[format];
  for (let i = 0; i < blocks; i++) one(stored, i * bytes, out, i * values, (i * values) / run, half);
  return out;
}

/** Dequantises complete blocks to float32. */
export function unpack(format: BlockFormat, stored: Uint8Array): Float32Array {
  if (format === "f8_e4m3" || format === "f8_e5m2") return Float32Array.from(stored, FLOAT8[format]);
  const { codes, scales, minima } = decode(format, stored);
  const out = new Float32Array(codes.length);
  const run = codes.length / scales.length;
  for (let s = 0; s < scales.length; s++) {
    const [scale, minimum] = [scales[s] ?? 0, minima[s]];
    for (let i = s * run; i < (s + 1) * run; i++) {
      const value = scale * (codes[i] ?? 0);
      out[i] = minimum === undefined ? value : fround(value) + minimum;
    }
  }
  return out;
}
