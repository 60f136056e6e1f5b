/** Variegate as a library: open a pair of models, generate with both, read what happens as events. */
export {
  type Adapter,
  type AdapterFacts,
  adapterFacts,
  adapterTensors,
  type Block,
  constant,
  type Delta,
  DIALECTS,
  type Dialect,
  type Keep,
  LARGEST_RANK,
  parseScale,
  rankOf,
  type Scale,
  type ScaleInput,
  scaleAt,
  strengthOf,
  type Target,
} from "./adapters/index.js";
export * from "./catalogue/index.js";
export { readJson, readTensors, safetensors } from "./checkpoint/index.js";
export * from "./control/index.js";
export * from "./convert/index.js";
export * from "./decode/index.js";
export * from "./errors.js";
export * from "./evaluation/index.js";
export * from "./experiments/index.js";
export { writeWhole } from "./files/index.js";
export * from "./generate/index.js";
export * from "./hub/index.js";
export * from "./inspect/index.js";
export * from "./instruments/index.js";
export type { Library, Shelf } from "./lookup/index.js";
export * from "./lookup/index.js";
export * from "./measure/index.js";
export * from "./metrics/index.js";
export * from "./networks/index.js";
export * from "./open/index.js";
export { DEVICES, type Device, openRuntime, type Runtime, type RuntimeOptions } from "./runtime/index.js";
export {
  describePlan,
  type Mode,
  type ModelName,
  type NoiseLevel,
  type Plan,
  type PlanTable,
  type RenoiseRow,
  type Row,
  type StepRow,
} from "./sampling/index.js";
export * from "./tensor/index.js";
export * from "./text/index.js";
export * from "./trajectory/index.js";
