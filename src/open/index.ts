export {
  type Adaptable,
  type AdapterReference,
  type AdapterUse,
  adaptedWeights,
  type Equipment,
  equip,
  isOff,
  layersIn,
  openAdapter,
  openAdapters,
  stackInputs,
} from "./adapters.js";
export { type Model, type OpenOptions, openPair, openPlanSource, type Pair, type PairReference } from "./pair.js";
