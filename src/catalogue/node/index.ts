export { readPairs } from "./file.js";
export { DISTILLED_KEY, type Evidence, type Match, recogniseBase, recognisePair } from "./recognise.js";
