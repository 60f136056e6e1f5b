/**
 * Matrices of GGUF files that stay packed: their codes, scales and minima as tensors, and the weights made of them. No page needs it, because only
 * matrices in local files stay packed (studio/vite.web.config.ts).
 */
import { type Derivation, derivedBytes, readCodes } from "../checkpoint/index.js";
import { bytesOf, CODE_BITS, isPacked, PACKED, type PackedFormat, packCodes, type Weight } from "../tensor/index.js";
import { codesOf, minimaOf, scalesOf } from "./derived-names.js";
import { mustBeFinite } from "./finite.js";

/** Format of a matrix that can stay packed: it is in a local file, and every row has whole runs of values with one scale. */
export function packedFormat({ shape: [, inputs = 0, ...rest], bytes }: Weight): PackedFormat | undefined {
  if (bytes.in !== "blocks" || !isPacked(bytes.format) || rest.length > 0 || inputs === 0) return undefined;
  // Weights that are not mapped from a file are in memory whole, and session by session.
  if (bytes.source.path === undefined || bytes.scale !== undefined) return undefined;
  const { run } = PACKED[bytes.format];
  return inputs % run === 0 && bytes.skip % run === 0 ? bytes.format : undefined;
}

/** Rearranges the blocks of a matrix: codes of four or eight bits, scales and minima, each in one tensor. */
export function packing(from: Weight, format: PackedFormat): Derivation {
  const { code, run, minima } = PACKED[format];
  const { name } = from;
  const [rows = 0, inputs = 0] = from.shape;
  const runs = { dtype: "float32", shape: [rows, inputs / run] } as const;
  return {
    from,
    by: `packed in ${code}`,
    makes: [
      { name: codesOf(name), dtype: "uint8", shape: [rows, (inputs * CODE_BITS[code]) / 8] },
      { name: scalesOf(name), ...runs },
      ...(minima ? [{ name: minimaOf(name), ...runs }] : []),
    ],
    async makeOfBlocks() {
      const { codes, scales, minima: least } = await readCodes(from);
      mustBeFinite(from, scales);
      mustBeFinite(from, least);
      return [packCodes(code, codes), bytesOf(scales), ...(minima ? [bytesOf(least)] : [])];
    },
  };
}

/** A packed matrix of its derived tensors. Four bits without minima are multiplied as they are, others are unpacked in the graph. */
export function packedWeight(
  { name, shape }: Weight,
  format: PackedFormat,
  derived: ReadonlyMap<string, Weight>,
): Weight | undefined {
  const [codes, scales, minima] = [codesOf, scalesOf, minimaOf].map((of) => derived.get(of(name)));
  if (!codes || !scales) return undefined;
  const { code } = PACKED[format];
  if (code === "int4") return { ...codes, name, shape, scales, bits: 4 };
  return { ...codes, name, shape, packed: { code, scales, ...(minima && { minima }) } };
}

/** Bytes of a matrix that stays packed, with scales and minima; undefined for a weight that cannot. */
export function packedBytes(weight: Weight): number | undefined {
  const format = packedFormat(weight);
  return format && derivedBytes([packing(weight, format)]);
}
