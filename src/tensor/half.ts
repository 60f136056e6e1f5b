/** Half-precision numbers, float16 and bfloat16, as 16-bit patterns. */
import { roundHalfEven } from "./rounding.js";

/** Value of a float16 bit pattern. */
function half(h: number): number {
  const sign = h & 0x8000 ? -1 : 1;
  const exponent = (h >> 10) & 0x1f;
  const fraction = h & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

let values: Float32Array | undefined;

/** Values of all float16 bit patterns [65536]. A lookup is ten times as fast as the conversion. */
export function float16Values(): Float32Array {
  values ??= Float32Array.from({ length: 1 << 16 }, (_, h) => half(h));
  return values;
}

/** float16 bits [n] → float32 [n]. */
export function fromFloat16(bits: Uint16Array): Float32Array {
  const table = float16Values();
  const out = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = table[bits[i] ?? 0] ?? 0;
  return out;
}

/** bfloat16 bits [n] → float32 [n]. A bfloat16 is the upper half of a float32. */
export function fromBfloat16(bits: Uint16Array): Float32Array {
  const out = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = (bits[i] ?? 0) << 16;
  return new Float32Array(out.buffer);
}

/** float32 [n] → float16 bits [n], rounded to nearest, ties to even; infinite from 65520 on (IEEE 754). */
export function toFloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) out[i] = rounded(bits[i] ?? 0);
  return out;
}

/** Bits of a float32 → bits of the nearest float16. */
function rounded(b: number): number {
  const sign = (b >>> 16) & 0x8000;
  const size = b & 0x7fffffff;
  if (size > 0x7f800000) return sign | 0x7e00;
  // 65520 and above round to infinity.
  if (size >= 0x477ff000) return sign | 0x7c00;
  // Subnormal below 2⁻¹⁴: an integer multiple of 2⁻²⁴.
  if (size < 0x38800000) {
    const shift = 126 - (size >>> 23);
    return sign | (shift > 24 ? 0 : nearest((size & 0x7fffff) | 0x800000, shift));
  }
  return sign | (nearest(size, 13) - 0x1c000);
}

/** n / 2^shift, rounded. */
const nearest = (n: number, shift: number): number => roundHalfEven(n / 2 ** shift);
