export { adapterScales } from "./adapted.js";
export { drawingOf, drawn } from "./build.js";
export { COMPUTES } from "./fields.js";
export { areFinite, type Call, finite, mustBeFinite } from "./finite.js";
export { floats } from "./floats.js";
export {
  type Differentiated,
  encodeGradients,
  type GradientMemory,
  gradientGraph,
  loadGradients,
} from "./gradients.js";
export { productsOn } from "./matmul.js";
export { castBytes, encodedFor, type Network, type NetworkOptions, NO_WEIGHTS, network, sessionOf } from "./network.js";
export { packedBytes } from "./packing.js";
export {
  type Compute,
  DEVICE_COMPUTES,
  derivations,
  FLOAT32,
  mustCompute,
  openVinoBytes,
  type Precision,
  type Preparing,
  prepareWeights,
} from "./precision.js";
export { openPullback, type Pullback, product } from "./pullback.js";
export { createSessionPool, type SessionPool } from "./sessions.js";
