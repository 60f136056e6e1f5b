export { readPairs } from "./file.js";
export { pairNamed } from "./named.js";
export { DISTILLED_KEY, type Evidence, type Match, recogniseBase, recognisePair } from "./recognise.js";
export { DEFAULT_CLIP, PAIRS } from "./rows.js";
export type { Control, PairRow, Reason, SamplingDefaults, Trial } from "./schema.js";
