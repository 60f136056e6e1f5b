export { type Adaptable, layersIn, openAdapter, openAdapters } from "./adapters.js";
export { machineBudget, memoryNeedsOfFiles, type OpenedPair } from "./bind.js";
export { openDecoder } from "./decoder.js";
export { hashed, openClip, openDino, openDreamSim, openInception, openJudge, openLpips } from "./instruments.js";
export { knownPair, memoryNeedsOfRow } from "./known.js";
export { openPair, openPlanSource, readFiles } from "./pair.js";
export {
  type AdapterReference,
  lookupFields,
  machineFields,
  modelFields,
  type OpenOptions,
  type PairReference,
  readAdapterReference,
} from "./reference.js";
export { openTextualInversions, type TextualInversionReference } from "./textual-inversion.js";
