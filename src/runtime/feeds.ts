/** Checks inputs against a graph before a call, so that a wrong feed is told apart from a failing device. */
import { count, type Tensor } from "../tensor/index.js";

/** An input as the graph declares it; a dimension with a name may have any size, the same wherever the name stands. */
export interface InputFacts {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly (number | string)[];
}

const shown = (shape: readonly (number | string)[]) => `[${shape.join(", ")}]`;

/** The first difference between tensors and the inputs they are for, as a sentence; undefined if there is none. Names that the graph lacks are ignored, as ONNX Runtime does. */
export function feedProblem(
  inputs: readonly InputFacts[],
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
      return `input ${name} is ${shown(tensor.shape)}, ${count(tensor.shape)} values; its data holds ${tensor.data.length}`;
    }
  }
  return undefined;
}

/** Inputs that are in none of the sets, as a sentence; undefined if there is none. */
export function missingInputs(
  inputs: readonly InputFacts[],
  ...sets: readonly Readonly<Record<string, unknown>>[]
): string | undefined {
  const missing = inputs.filter(({ name }) => !sets.some((set) => name in set)).map(({ name }) => name);
  return missing.length === 0 ? undefined : `no tensor for ${missing.join(", ")}`;
}
