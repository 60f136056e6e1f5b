export { EMBEDDED_PAIRS } from "./embedded.js";
export { pairNamed } from "./named.js";
export { DEFAULT_CLIP } from "./pair-row.js";
export { PAIRS } from "./rows.js";
export { type Control, isLoraRow, type PairRow, type Reason, type SamplingDefaults, type Trial } from "./schema.js";
