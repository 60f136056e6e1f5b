export { readPairs } from "./file.js";
export { type Control, PAIRS, type PairRow, pairNamed, type SamplingDefaults, type Trial } from "./rows.js";
