export { type Kept, keptVariety, openScorer, type Reading, type Scorer, type Summary, summarise } from "./evaluator.js";
