/** Checks inputs against a graph before a call, to distinguish invalid inputs from a failing device. */
import { count, type Tensor } from "../tensor/index.js";
import type { PortFacts } from "./runtime.js";

const shown = (shape: readonly (number | string)[]) => `[${shape.join(", ")}]`;

/**
 * First mismatch between tensors and the declared inputs, as a sentence; undefined if there is none. Tensors that are not inputs are ignored,
 * as in ONNX Runtime.
 */
export function feedProblem(
  inputs: readonly PortFacts[],
  tensors: Readonly<Record<string, Tensor>>,
): string | undefined {
  const sizes = new Map<string, number>();
  for (const { name, dtype, shape } of inputs) {
    const tensor = tensors[name];
    if (!tensor) continue;
    if (tensor.dtype !== dtype) return `input ${name} is ${tensor.dtype}; the graph expects ${dtype}`;
    const fits = shape.every((dim, axis) => {
      const size = tensor.shape[axis];
      if (size === undefined) return false;
      if (typeof dim === "string" && !sizes.has(dim)) sizes.set(dim, size);
      return size === (typeof dim === "string" ? sizes.get(dim) : dim);
    });
    if (!fits || tensor.shape.length !== shape.length) {
      const known = shape.map((dim) => (typeof dim === "string" && sizes.has(dim) ? `${dim}=${sizes.get(dim)}` : dim));
      return `input ${name} is ${shown(tensor.shape)}; the graph expects ${shown(known)}`;
    }
    if (tensor.data.length !== count(tensor.shape)) {
      return `input ${name} is ${shown(tensor.shape)}, ${count(tensor.shape)} values; its data has ${tensor.data.length}`;
    }
  }
  return undefined;
}

/** Inputs that none of the sets contains, as a sentence; undefined if there are none. */
export function missingInputs(
  inputs: readonly PortFacts[],
  ...sets: readonly Readonly<Record<string, unknown>>[]
): string | undefined {
  const missing = inputs.filter(({ name }) => !sets.some((set) => name in set)).map(({ name }) => name);
  return missing.length === 0 ? undefined : `no tensor for ${missing.join(", ")}`;
}
