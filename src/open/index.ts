export {
  type Adaptable,
  type AdapterReference,
  layersIn,
  openAdapter,
  openAdapters,
} from "./adapters.js";
export { hashed, openClip, openDino, openDreamSim, openInception, openJudge, openLpips } from "./instruments.js";
export { type Model, type OpenOptions, openPair, openPlanSource, type Pair, type PairReference } from "./pair.js";
