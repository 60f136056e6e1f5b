export { type Factors, type JudgeReader, openJudge } from "./classifier.js";
export { type ClipScorer, openClip } from "./clip.js";
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
