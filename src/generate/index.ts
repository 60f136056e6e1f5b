export { type AdapterUse, openUses } from "./adapters.js";
export {
  formIn,
  type MemoryNeed,
  type MemoryUse,
  memoryUses,
  strategyNeeds,
  type WeightForm,
  type WeightSize,
} from "./budget.js";
export { createGenerateCache, type GenerateCache } from "./cache.js";
export { uncalibrated, withCalibrated } from "./calibrated.js";
export { seedsToRun } from "./candidates.js";
export { eventJson, type GenerateEvent, type Milliseconds, type StepEvent } from "./events.js";
export { EXACT_TEXT, memoryNeeds } from "./fit.js";
export { generate } from "./generate.js";
export { type GeneratedImage, generateImages, type ImageRequest } from "./images.js";
export { checkRequest } from "./job.js";
export { loraScaleOf } from "./layers.js";
export { guessedSchedule } from "./notices.js";
export type { Engine, ImageTextReader, Model, Pair } from "./pair.js";
export type { Calibrated, KnownModel, ModelSource, PlanSource } from "./plan-source.js";
export { callsPerImage, dynamicShift, planFor, planRequestFor, settingsFor } from "./planning.js";
export {
  adapterSchema,
  type ChoiceField,
  type GenerateRequest,
  OFFLOADS,
  type Offload,
  plainPrompts,
  requestFields,
  requestForMode,
  requestSchema,
} from "./request.js";
export type { SampleKey } from "./sample.js";
export { choiceFor, ownChoice, type SchedulerChoice } from "./scheduler-choice.js";
export { describeSettings, type ModelSettings, type Origin, type Setting, type Settings } from "./settings.js";
export { unusedAdapters } from "./unused.js";
export { callBytes, castsOf, decodingBytes, type Working } from "./working.js";
