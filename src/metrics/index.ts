export { correlation, rankCorrelation } from "./correlation.js";
export {
  cosineDistance,
  type Distances,
  distancePerPrompt,
  distanceShare,
  entropy,
  FEWEST,
  meanDistance,
  meanPairwise,
  pairwise,
  pairwiseDistance,
  rootMeanSquare,
  squaredDistance,
} from "./diversity.js";
export {
  type Estimate,
  formatEstimate,
  indices,
  mean,
  meanEstimate,
  pooledEstimate,
  quantile,
  ratioEstimate,
  setEstimate,
  uniform,
} from "./estimate.js";
export { cholesky, frechetDistance, inceptionScore, kernelDistance, nuclearNorm } from "./frechet.js";
export { type Neighbours, neighbours } from "./neighbours.js";
export {
  type ConditionalRke,
  conditionalRke,
  effectiveRank,
  meanSimilarity,
  type VendiOrder,
  varianceSpectrum,
  vendi,
} from "./vendi.js";
export { type PredictedValue, predictValues, prior } from "./zero-shot.js";
