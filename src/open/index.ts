export { layersIn } from "../assembly/index.js";
export {
  type Adaptable,
  adaptersOf,
  type InspectedAdapter,
  inspectAdapter,
  openAdapter,
  openAdapters,
} from "./adapters.js";
export { machineBudget, type OpenedPair } from "./bind.js";
export { calibrationFile, forgetCalibration, keepCalibration } from "./calibrations.js";
export { openDecoder, tinyDecoderOf } from "./decoder.js";
export { anyClip, type ClipOptions, openEvaluator } from "./evaluator.js";
export {
  hashed,
  type InstrumentOptions,
  openClassifier,
  openClip,
  openDino,
  openDreamSim,
  openInception,
  openLpips,
} from "./instruments.js";
export { knownPair, memoryNeedsOfRow } from "./known.js";
export { type LocatedPair, leadsTo } from "./locate.js";
export { memoryNeedsOfFiles } from "./needs.js";
export { openPair, openPlanSource, readFiles } from "./pair.js";
export { type SyntaxPrompts, withPromptEmbeddings } from "./prompt-embeddings.js";
export { type PairFiles, readPair } from "./read.js";
export {
  type AdapterReference,
  argumentsOf,
  type ComputeOn,
  lookupFields,
  type MeasuringCompute,
  machineFields,
  modelFields,
  modelFlags,
  type OpenOptions,
  type PairReference,
  readAdapterReference,
} from "./reference.js";
export { promptLoras, type SourceFile, type SourceRole, sourceFiles } from "./sources.js";
export { openTextualInversions, type TextualInversionReference } from "./textual-inversion.js";
