export { type CheckpointContent, checkpointOf, readCheckpoint } from "./checkpoint.js";
export {
  denoising,
  type LoraRequest,
  type NoisySample,
  noisySample,
  offsetNoise,
  weightingOf,
} from "./denoising.js";
export {
  type CaptionedImage,
  type EncodeOptions,
  type Example,
  encodeImages,
  sizesOf,
  type TrainingImages,
} from "./examples.js";
export { LAYER_CHOICES, LORA_DEFAULTS, LORA_TYPES, SLIDER_DEFAULTS } from "./fields.js";
export { type ImagePairs, imageSlider } from "./image-slider.js";
export {
  adapterOf,
  chooseLayers,
  firstValues,
  type LayerChoice,
  type LoraLayer,
  type LoraOptions,
  type LoraType,
  type TrainedLora,
} from "./lora.js";
export { type Batch, type LossNetwork, openLoss, withSquaredError } from "./loss.js";
export { type Objective, trainedModel } from "./objective.js";
export { OFFICIAL_DEFAULTS, openOfficialSlider } from "./official-slider.js";
export { type TrainingState, type TrainOptions, train, type UpdateEvent } from "./run.js";
export { openSlider, sliderTarget } from "./slider.js";
export { rowOfRequest, type SliderRequest, type SliderRow, withAttributes } from "./slider-rows.js";
