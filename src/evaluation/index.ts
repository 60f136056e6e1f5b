export {
  attributeAccuracy,
  attributesOf,
  freeAttributes,
  freeInformation,
  largestInformation,
  likeliestValues,
} from "./attributes.js";
export { clipScore, clipScoreChange } from "./clip-score.js";
export { type Agreement, agreement, agreementAboveChance, type Commitment, commitment } from "./commit.js";
export { type DiverseImage, type Diversity, diversity } from "./diversity.js";
export { type AttributeReading, type Evaluator, evaluate, type Reading } from "./evaluator.js";
export { attributesForPrompt, type NounAttribute, openAttributes } from "./nouns.js";
export { type Attribute, attributeFinder, phrasesFinder, phrasesOf } from "./phrases.js";
export { sharpness } from "./sharpness.js";
export { type KeptDiversity, keptDiversity, type Summary, summarise } from "./summary.js";
export {
  distancesOf,
  latentDistancesOf,
  pixelDistance,
  type Variety,
  type VarietyMeasure,
  varietyOf,
} from "./variety.js";
export { type Finding, type Watched, watch } from "./watch.js";
export {
  type AttributePredictors,
  openInformation,
  type PromptedAttribute,
  predictAttributes,
  type ZeroShot,
  zeroShot,
} from "./zero-shot.js";
