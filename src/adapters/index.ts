export { customDiffusionTensors, isCustomDiffusionLayer } from "./custom-diffusion.js";
export { applyBias, applyDelta, changesBias, changesWeight, type Delta, rankOf, strengthOf } from "./delta.js";
export { type AdapterDescription, describeAdapter } from "./describe.js";
export { factorise, type Keep } from "./factor.js";
export { type AdapterFacts, adapterFacts } from "./facts.js";
export { DIALECTS, LARGEST_RANK } from "./fields.js";
export { fitting } from "./fit.js";
export { type LayerShape, type Layers, layersOf, PARTS, type Part } from "./names.js";
export { type Adapter, readAdapter, type Target } from "./read.js";
export {
  type Block,
  constant,
  isZero,
  parseScale,
  resolveScale,
  type Scale,
  type ScaleInput,
  scaleAt,
  scaleSchema,
} from "./scale.js";
export { type Attached, type Stack, stackOn } from "./stack.js";
export { adapterTensors, type Dialect } from "./write.js";
