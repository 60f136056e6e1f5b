export { type Attribute, leaning, nameValues, type Shown, shownEntropy } from "./attributes.js";
export {
  cosineDistance,
  distancePerPrompt,
  type Estimate,
  entropy,
  meanDistance,
  meanEstimate,
  pairwise,
  pairwiseDistance,
  ratioEstimate,
  squaredDistance,
  uniform,
} from "./diversity.js";
export { correlation, pooledEstimate, rankCorrelation, setEstimate } from "./estimate.js";
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
