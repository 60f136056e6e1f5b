export { type Attribute, leaning, nameValues, type Shown, shownEntropy } from "./attributes.js";
export {
  cosineDistance,
  distancePerPrompt,
  type Estimate,
  entropy,
  mean,
  meanDistance,
  meanEstimate,
  pairwise,
  pairwiseDistance,
  quantile,
  ratioEstimate,
  squaredDistance,
  uniform,
} from "./diversity.js";
export { correlation, formatEstimate, pooledEstimate, rankCorrelation, setEstimate } from "./estimate.js";
export { cholesky, frechetDistance, inceptionScore, kernelDistance, nuclearNorm } from "./frechet.js";
export { type Neighbours, neighbours } from "./neighbours.js";
export {
  effectiveRank,
  meanSimilarity,
  type Order,
  type VarietyShares,
  varianceSpectrum,
  varietyShares,
  vendi,
} from "./vendi.js";
