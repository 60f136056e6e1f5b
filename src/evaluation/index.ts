export {
  type Attribute,
  attributeAccuracy,
  attributeFinder,
  attributesOf,
  freeAttributes,
  freeEntropy,
  largestEntropy,
  phraseFinder,
} from "./attributes.js";
export { clipScore, clipScoreChange } from "./clip-score.js";
export { type Commitment, commitment } from "./commit.js";
export { type DiverseImage, type Diversity, diversity } from "./diversity.js";
export { type AttributeReading, type Evaluator, evaluate, type Reading } from "./evaluator.js";
export { type KeptDiversity, keptDiversity, type Summary, summarise } from "./summary.js";
export { distancesOf, type Variety, type VarietyMeasure, varietyOf } from "./variety.js";
export { type PromptedAttribute, predictAttributes } from "./zero-shot.js";
