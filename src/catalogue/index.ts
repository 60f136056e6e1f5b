export { readPairs } from "./file.js";
export { PAIRS, pairNamed } from "./rows.js";
export type { Control, PairRow, SamplingDefaults, Trial } from "./schema.js";
