export {
  type Adaptable,
  type AdapterReference,
  type AdapterUse,
  layersIn,
  openAdapter,
  openAdapters,
} from "./adapters.js";
export { type CheckReport, type CheckRequest, type ComponentReport, checkReference, type FitReport } from "./check.js";
export { type ClipScorer, openClip } from "./clip-scorer.js";
export { type Decoder, openDecoder } from "./decoder.js";
export { diffusersScript } from "./diffusers-script.js";
export type { GenerateEvent, Milliseconds, Picture } from "./events.js";
export { type Extracted, type ExtractedLayer, type ExtractRequest, extractAdapter } from "./extract.js";
export { decodeLatents, generate } from "./generate.js";
export {
  type FidPreparation,
  filesOf,
  hashed,
  type InceptionInstrument,
  type Instrument,
  type InstrumentFacts,
  openDino,
  openDreamSim,
  openInception,
  openLpips,
} from "./instruments.js";
export { type Factors, type JudgeReader, openJudge } from "./judge-reader.js";
export { type LibraryItem, readLibraries } from "./library.js";
export {
  MEMORIES,
  type Memory,
  type MemoryNeed,
  type MemoryUse,
  machineRoom,
  memoryNeeds,
  memoryNeedsOf,
  memoryUses,
} from "./memory.js";
export { type Merged, mergeAdapters } from "./merge.js";
export {
  type OpenOptions,
  openPair,
  openPlanSource,
  type Pair,
  type PairReference,
} from "./pair.js";
export { readPairs } from "./pair-file.js";
export { type Control, PAIRS, type PairRow, pairNamed, type SamplingDefaults, type Trial } from "./pairs.js";
export {
  knownPair,
  type PlanSource,
  planFor,
  type Ratio,
  type Sampled,
  type SamplingRequest,
  type Spacing,
} from "./planning.js";
export { COMPUTES, type Compute, type Precision, type Preparing, prepareWeights } from "./precision.js";
export { productsOn } from "./products.js";
export { locate, type Places, resolveReference, type Sources } from "./reference.js";
export {
  type DeviceReport,
  describeRun,
  examine,
  type MachineReport,
  type Versions,
  versions,
} from "./report.js";
export { type GenerateRequest, orderFor, requestForMode } from "./request.js";
export { type Kept, keptVariety, openScorer, type Reading, type Scorer, type Summary, summarise } from "./scorer.js";
export { createTokenizer, type Tokenizer } from "./tokenizer.js";
export type { LearnedWord, WordReference } from "./words.js";
