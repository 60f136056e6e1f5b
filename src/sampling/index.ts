export * from "./advance.js";
export { isChoosing, samplesPerRow, withChoice } from "./choice.js";
export type { Choice } from "./choice-spec.js";
export { commandOf } from "./command.js";
export * from "./describe.js";
export * from "./diversity.js";
export { type DynamicShift, evenSigmas, stepwiseShift } from "./flow-sigmas.js";
export * from "./guidance.js";
export * from "./guided.js";
export { contrastiveLoss, noiseStep } from "./hooks/contrastive-noise.js";
export { actsOnFeatures, conditioned, type FeaturePull, type Hook, initialNoise } from "./hooks/hook.js";
export { ACTS, type Acts } from "./hooks/method.js";
export {
  type DiversityMethod,
  METHOD_NAMES,
  METHODS,
  type MethodName,
  methodNamed,
  methodText,
  readMethod,
  type SettingFacts,
  settingsOf,
  settledMethods,
} from "./hooks/methods.js";
export * from "./level.js";
export { combine } from "./linear.js";
export * from "./noise.js";
export {
  HANDOFFS,
  type Handoff,
  MODES,
  type ModelSampling,
  modelFields,
  PREDICTIONS,
  type Ratio,
  type SamplingRequest,
  type Settled,
  type SettledRequest,
  SPACINGS,
  type Spacing,
  samplingFields,
  settledFields,
} from "./options.js";
export { cleanWeights, outputOf, predict, x0Error } from "./parameterisation.js";
export * from "./plan.js";
export * from "./plan-json.js";
export { type Schedule, type ScheduleStep, schedule } from "./schedule.js";
export { type ScheduleType, scheduleTypeNamed } from "./schedule-types.js";
export {
  amendForStableDiffusion,
  kindOf,
  parseScheduler,
  readsSpacing,
  type SchedulerConfig,
  scalesLatents,
  switchScheduler,
  traitsOf,
} from "./scheduler.js";
export { isScheduler, SCHEDULERS, type SchedulerClass } from "./scheduler-classes.js";
export type { Prediction, SchedulerSettings } from "./scheduler-fields.js";
export {
  a1111Names,
  comfyName,
  findScheduler,
  SAMPLERS,
  scheduleFields,
  WITHOUT_EQUIVALENT,
} from "./scheduler-names.js";
export { type SolverSpec, takesHandoff } from "./solver-spec.js";
export { refusesTimesteps, type TimestepSpec } from "./timesteps.js";
