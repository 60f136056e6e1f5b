export { type AdafactorOptions, adafactor } from "./adafactor.js";
export { type AdamOptions, adam, adamw } from "./adam.js";
export { type AverageOptions, averaged, decayAt, mixed } from "./average.js";
export { accumulated, clipped } from "./gradients.js";
export {
  globalNorm,
  type LearningRate,
  type Optimizer,
  type OptimizerState,
  type Tensors,
  type Updated,
} from "./optimizer.js";
export { type ProdigyOptions, prodigy } from "./prodigy.js";
export { SCHEDULES, type Schedule, type ScheduleName, type ScheduleOptions } from "./schedules.js";
export { type SgdOptions, sgd } from "./sgd.js";
