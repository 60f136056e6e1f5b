export { EMBEDDED_PAIRS } from "./embedded.js";
export { pairNamed } from "./named.js";
export { DEFAULT_CLIP, PAIRS } from "./rows.js";
export type { Control, PairRow, Reason, SamplingDefaults, Trial } from "./schema.js";
