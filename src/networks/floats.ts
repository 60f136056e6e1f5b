/** Values of a network as floats. */
import type { FloatTensor, Tensor } from "../tensor/index.js";

/** A value of a network as floats. @throws RangeError when it is missing or of another type */
export function floats(value: Tensor | undefined): FloatTensor {
  if (value?.dtype !== "float32") throw new RangeError("a float value was expected of the network");
  return value;
}
