export { type Adaptable, familyOf, layersIn, openAdapterAt, readAdapterFile } from "./adapters.js";
export { type Additions, type Binding, type BoundPair, bindParts, memoryNeedsOfParts } from "./bind.js";
export { openClipAt } from "./clip.js";
export { readDecoder } from "./decoder.js";
export type { ModelPlace } from "./place.js";
export {
  type DistilledFacts,
  type ModelFiles,
  type PairParts,
  type PairPlaces,
  type Recogniser,
  readParts,
  type Tokenizers,
} from "./read.js";
export { openTextualInversionsAt, type TextualInversionPlace } from "./textual-inversion.js";
