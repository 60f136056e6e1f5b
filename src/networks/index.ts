export { drawingOf, drawn } from "./build.js";
export { productsOn } from "./matmul.js";
export { floats, type Network, NO_WEIGHTS, network, sessionOf } from "./network.js";
export {
  COMPUTES,
  type Compute,
  derivations,
  FLOAT32,
  mustCompute,
  type Precision,
  type Preparing,
  prepareWeights,
} from "./precision.js";
