export type { AdapterUse } from "./adapters.js";
export type { GenerateEvent, Milliseconds, Picture } from "./events.js";
export { decodeLatents, generate } from "./generate.js";
export {
  MEMORIES,
  type Memory,
  type MemoryNeed,
  type MemoryUse,
  machineRoom,
  memoryNeeds,
  memoryNeedsOf,
  memoryUses,
  widening,
} from "./memory.js";
export {
  choiceFor,
  knownPair,
  ownChoice,
  type PlanSource,
  planFor,
  planRequestFor,
  type Ratio,
  type Sampled,
  type SamplingRequest,
  type SchedulerChoice,
  type Spacing,
} from "./planning.js";
export { type GenerateRequest, orderFor, requestForMode } from "./request.js";
