export { type Builder, createBuilder, type LowRankInputs } from "./builder.js";
export { floatingPointOperations } from "./cost.js";
export { decompose } from "./decompose.js";
export { gradientOf, withGradients } from "./gradient.js";
export { arenaBytes, workingBytes } from "./memory.js";
export { type ComputeType, type EncodedGraph, type EncodeOptions, encodeGraph } from "./onnx.js";
export { type Dim, type Graph, known, type Node, type Op, type OpKind, type Value, type ValueType } from "./op.js";
export { printGraph } from "./print.js";
export { bindDimensions, bindKnown, rebuild } from "./rewrite.js";
