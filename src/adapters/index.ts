export { applyBias, applyDelta, changesBias, changesWeight, type Delta, lowRank, rankOf, strengthOf } from "./delta.js";
export { factorise, type Keep, LARGEST_RANK } from "./factor.js";
export { type Fit, fitting } from "./fit.js";
export { type Layer, type Layers, layersOf, nameTable, PARTS, type Part } from "./names.js";
export { type Adapter, isAdapter, type ReadOptions, readAdapter, type Target } from "./read.js";
export { BLOCKS, type Block, blockOf, constant, parseScale, type Scale, scaleAt } from "./scale.js";
export { type Attached, mergeLayer, type Stack, stackOn } from "./stack.js";
export { type AdapterFacts, adapterFacts, adapterTensors, DIALECTS, type Dialect } from "./write.js";
