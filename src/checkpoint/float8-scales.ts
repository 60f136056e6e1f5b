/** Scales of float8 weights, which are tensors of their own beside them: a value is the stored one times the scale. */
import { FileError } from "../errors.js";
import { BYTES, count, fromBfloat16, fromFloat16, type Weight } from "../tensor/index.js";

/** Names of the scale of a layer's weight: ComfyUI's earlier and later files. */
const SCALES = ["scale_weight", "weight_scale"];
/** Tensors without an effect on weights: scales of activations and marks of the format, beside float8 weights. */
const MARKS = ["scale_input", "input_scale", "comfy_quant"];
/** Mark of ComfyUI for a file with float8 weights; it is empty. */
const FILE_MARK = /(^|\.)scaled_fp8$/;

/**
 * Weights with the scales of float8 ones, without the scales and marks themselves. A scale that is not one number makes its weight
 * unsupported.
 * @throws FileError when a scale cannot be read
 */
export async function withScales(weights: ReadonlyMap<string, Weight>): Promise<ReadonlyMap<string, Weight>> {
  const found = new Map([...weights].filter(([name]) => !FILE_MARK.test(name)));
  for (const [name, weight] of weights) {
    if (weight.bytes.in !== "blocks" || !name.endsWith(".weight")) continue;
    const layer = name.slice(0, -"weight".length);
    for (const mark of MARKS) found.delete(`${layer}${mark}`);
    const scale = SCALES.flatMap((key) => weights.get(`${layer}${key}`) ?? [])[0];
    if (!scale) continue;
    found.delete(scale.name);
    found.set(name, await scaled(weight, scale));
  }
  return found;
}

async function scaled(weight: Weight, scale: Weight): Promise<Weight> {
  const { bytes } = weight;
  if (bytes.in !== "blocks") return weight;
  if (count(scale.shape) === 1) return { ...weight, bytes: { ...bytes, scale: await numberOf(scale) } };
  const format = `${bytes.format} with scales [${scale.shape.join(", ")}]`;
  return { ...weight, bytes: { ...bytes, in: "unsupported", format } };
}

/** Value of a tensor of one number. @throws FileError when it is no floating-point number, or not finite */
async function numberOf({ name, dtype, bytes }: Weight): Promise<number> {
  const raw = bytes.in === "source" ? await bytes.source.read(bytes.offset, BYTES[dtype]) : new Uint8Array();
  const { buffer } = new Uint8Array(raw);
  const value =
    dtype === "float32" && bytes.in === "source"
      ? new Float32Array(buffer)[0]
      : dtype === "float16"
        ? fromFloat16(new Uint16Array(buffer))[0]
        : dtype === "bfloat16"
          ? fromBfloat16(new Uint16Array(buffer))[0]
          : undefined;
  if (value !== undefined && Number.isFinite(value)) return value;
  throw new FileError(bytes.source.name, `${name} is ${value ?? dtype}; expected a finite floating-point number`);
}
