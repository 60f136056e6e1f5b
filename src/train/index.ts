export { type CheckpointContent, checkpointOf, readCheckpoint } from "./checkpoint.js";
export {
  consistencyBatch,
  HUBER,
  type Neighbours,
  neighbours,
} from "./consistency.js";
export { customDiffusion, customDiffusionAdapter } from "./custom-diffusion.js";
export {
  denoising,
  type LoraRequest,
  type NoisySample,
  noisySample,
  offsetNoise,
} from "./denoising.js";
export { type DistillRequest, MATCHING_BETAS, openConsistency, openMatching } from "./distillation.js";
export { fakeBatch, matchingBatch } from "./distribution-matching.js";
export {
  type CaptionedImage,
  type EncodeOptions,
  type Example,
  encodeCaption,
  encodeImages,
  sizeFor,
  sizesOf,
  type TrainingImages,
} from "./examples.js";
export {
  DISTILL_DEFAULTS,
  LAYER_CHOICES,
  LORA_DEFAULTS,
  LORA_TYPES,
  SLIDER_DEFAULTS,
  WORD_DEFAULTS,
} from "./fields.js";
export { anchorLatents, anchorLevels, FIRST_STEP, firstStepTarget } from "./first-step.js";
export { type ImagePairs, imageSlider } from "./image-slider.js";
export { flowLevels, isFlow, levelsOf, type TrainedLevels, type Weighting, weightingOf } from "./levels.js";
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
export { type Batch, type LossNetwork, openLoss, type TrainedCall } from "./loss.js";
export { type FollowingObjective, type Kept, type Objective, trainedModel } from "./objective.js";
export { OFFICIAL_DEFAULTS, openOfficialSlider } from "./official-slider.js";
export { DIFFUSION, FLOW, type Process, processOf } from "./process.js";
export { type TrainingState, type TrainOptions, train, type UpdateEvent } from "./run.js";
export { openSlider, sliderTarget } from "./slider.js";
export { rowOfRequest, type SliderRequest, type SliderRow, withAttributes } from "./slider-rows.js";
export { openStudent, predictor, type Student, studentRun, studentSampling, studentSteps } from "./student.js";
export { openTeacher, type Predict, type TrainedLevel, teacherGuidance } from "./teacher.js";
export { inShapesOf, isLora, type Trained, type TrainedWeights, weightValues } from "./trained.js";
export { mustBeUNet, mustReadByCLIP } from "./unet-only.js";
export {
  openWord,
  openWordLoss,
  parameterOf,
  type TrainedWord,
  type WordEncoders,
  type WordRequest,
  withWord,
  wordFile,
} from "./word.js";
