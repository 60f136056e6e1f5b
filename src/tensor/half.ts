/** Numbers of half the width of a float32, float16 and bfloat16, by their bits. */

/** Value of a float16 by its bits. */
function half(h: number): number {
  const sign = h & 0x8000 ? -1 : 1;
  const exponent = (h >> 10) & 0x1f;
  const fraction = h & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

let values: Float32Array | undefined;

/** The value of every float16 by its bits [65536]: a table is ten times as fast as working them out. */
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

/** bfloat16 bits [n] → float32 [n]: they are the upper half of one. */
export function fromBfloat16(bits: Uint16Array): Float32Array {
  const out = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = (bits[i] ?? 0) << 16;
  return new Float32Array(out.buffer);
}
