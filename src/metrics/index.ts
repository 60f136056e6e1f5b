export { correlation, rankCorrelation } from "./correlation.js";
export { type ValueCoverage, valueCoverage } from "./coverage.js";
export {
  coordinates,
  correlationRatio,
  type Directions,
  principalDirections,
  totalVariance,
  variance,
} from "./directions.js";
export {
  cosineDistance,
  type Distances,
  distancePerPrompt,
  meanDistance,
  meanPairwise,
  pairwise,
  pairwiseDistance,
  rootMeanSquare,
  squaredDistance,
} from "./diversity.js";
export {
  type Estimate,
  FEWEST,
  formatEstimate,
  indices,
  jackknifeEstimate,
  mean,
  meanEstimate,
  pooledEstimate,
  quantile,
  type Replicates,
  ratioEstimate,
  replicatesOf,
  replicatesRatio,
  type Scale,
  setEstimate,
  studentQuantile,
  uniform,
  within01,
} from "./estimate.js";
export { cholesky, frechetDistance, inceptionScore, nuclearNorm } from "./frechet.js";
export { mutualInformation, shannonEntropy } from "./information.js";
export { kernelDistance, kernelDistances } from "./kernel.js";
export { type Neighbours, neighbours } from "./neighbours.js";
export { softmax } from "./softmax.js";
export { bestSubset, exactSubset, subsetValue, swappedSubset } from "./subset.js";
export {
  type ConditionalRke,
  conditionalRke,
  effectiveRank,
  meanSimilarity,
  type VendiOrder,
  varianceSpectrum,
  vendi,
} from "./vendi.js";
export { fittedScale, valueProbabilities } from "./zero-shot.js";
