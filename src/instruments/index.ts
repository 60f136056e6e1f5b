export {
  type AttributeClassifier,
  type AttributeProbabilities,
  type AttributeValues,
  type Classified,
  createClassifier,
} from "./classifier.js";
export { type ClipParts, type ClipPreparation, type ClipScorer, createClip } from "./clip.js";
export { createDino, type InstrumentWeights } from "./dino.js";
export { createDreamSim } from "./dreamsim.js";
export { createInception, type FidPreparation, type InceptionInstrument } from "./inception.js";
export { filesOf, type HashedFiles, type Instrument, type InstrumentFacts, inBatches, rows } from "./instrument.js";
export { createLpips } from "./lpips.js";
