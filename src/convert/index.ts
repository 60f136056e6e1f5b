export { diffusersScript } from "./diffusers-script.js";
export { type Extracted, type ExtractedLayer, type ExtractRequest, extractAdapter } from "./extract.js";
export { type Merged, mergeAdapters } from "./merge.js";
