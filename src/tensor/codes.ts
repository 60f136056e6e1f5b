/** Integer codes of packed matrices: their stored form. */
import { CODE_BITS, type Code } from "./weight.js";

/** Added to a code before it is stored. */
const OFFSETS: { readonly [C in Code]: number } = { int4: 8, uint4: 0, int8: 0 };

/** Codes as bytes: int8, or two of four bits in a byte, the first in its low half, as ONNX stores them. */
export function packCodes(code: Code, codes: Int8Array): Uint8Array {
  if (CODE_BITS[code] === 8) return new Uint8Array(codes.buffer, codes.byteOffset, codes.length);
  const offset = OFFSETS[code];
  const halves = new Uint8Array(codes.length / 2);
  for (let i = 0; i < halves.length; i++) {
    halves[i] = ((codes[2 * i] ?? 0) + offset) | (((codes[2 * i + 1] ?? 0) + offset) << 4);
  }
  return halves;
}
