export { type CheckpointContent, checkpointOf, readCheckpoint } from "./checkpoint.js";
export { LAYER_CHOICES, LORA_TYPES } from "./fields.js";
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
export { type TrainingState, type TrainOptions, train, type UpdateEvent } from "./run.js";
export { openSlider, type SliderBatches, type SliderRequest, sliderTarget } from "./slider.js";
