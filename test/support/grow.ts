/** Weights grown from seeds by the rule of parity/weights.py. */
import { count, createRng } from "../../src/tensor/index.js";

export type StoredType = "float32" | "float16" | "bfloat16";

export interface Grown {
  readonly seed: number;
  readonly dtype: StoredType;
  readonly tensors: readonly (readonly [string, readonly number[]])[];
}

/** One tensor ready to be stored: bytes in the type it is rounded to. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: StoredType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** One weight by the rule, before it is rounded. */
export function valuesOf(name: string, shape: readonly number[], seed: number): Float32Array {
  if (name.endsWith("logit_scale")) return new Float32Array(count(shape)).fill(2.6592);
  const { data } = createRng(seed).randn(shape);
  if (name.includes("embedding.weight")) return data.map((v) => 0.5 * v);
  if (shape.length >= 2) {
    const scale = Math.fround(Math.sqrt(count(shape.slice(1))));
    return data.map((v) => v / scale);
  }
  return name.endsWith(".weight") || name === "bn.running_var"
    ? data.map((v) => 1 + Math.fround(Math.fround(0.1) * v))
    : data.map((v) => Math.fround(0.1) * v);
}

const scratch = new DataView(new ArrayBuffer(4));

/** float32 → bfloat16, nearest, halves to even. */
function toBfloat(v: number): number {
  scratch.setFloat32(0, v);
  const bits = scratch.getUint32(0);
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/** float32 → float16, nearest, halves to even. */
function toHalf(v: number): number {
  const sign = v < 0 || Object.is(v, -0) ? 0x8000 : 0;
  const a = Math.abs(v);
  if (a >= 65520) return sign | 0x7c00;
  const exponent = Math.max(-14, Math.floor(Math.log2(a)));
  const step = 2 ** (exponent - 10);
  const units = a / step;
  let whole = Math.floor(units);
  const rest = units - whole;
  if (rest > 0.5 || (rest === 0.5 && whole % 2 === 1)) whole++;
  // Below 2^-14 there is no hidden bit; a carry runs into the exponent by itself.
  return sign | (a < 2 ** -14 ? whole : ((exponent + 15) << 10) + (whole - 1024));
}

/** Every tensor of a component. */
export function grow({ seed, dtype, tensors }: Grown): StoredTensor[] {
  return tensors.map(([name, shape], i) => {
    const values = valuesOf(name, shape, seed + i);
    const narrow = dtype === "float32" ? values : Uint16Array.from(values, dtype === "float16" ? toHalf : toBfloat);
    return { name, dtype, shape, bytes: new Uint8Array(narrow.buffer, narrow.byteOffset, narrow.byteLength) };
  });
}
