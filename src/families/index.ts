export {
  DENOISER_FOLDERS,
  FAMILIES,
  FAMILY_NAMES,
  type Family,
  factsOf,
  TEXT_ENCODER_FOLDERS,
  TOKENIZER_FOLDERS,
} from "./families.js";
export {
  type ChatFormat,
  type ComfyFacts,
  type FamilyFacts,
  type InstructionFormat,
  STABLE_DIFFUSION_NOISE,
  type TextEncoderFacts,
  type TransformerFacts,
} from "./family.js";
export { adapterLayerNames, denoiserLayerNames } from "./layer-names.js";
export { clipNames, type SourceTensor } from "./names/clip.js";
export { GEMMA2_NAMES, QWEN_NAMES } from "./names/language-models.js";
export { T5_NAMES } from "./names/t5.js";
export { tinyNames } from "./names/taesd.js";
export { type OtherLayer, otherLayers, ownTensors, type Renamed } from "./names/transformer.js";
export { diffusersNames, stabilityNames } from "./names/unet.js";
export { vaeNames } from "./names/vae.js";
export { wanVaeNames } from "./names/wan-vae.js";
export { type Recognised, recognise } from "./recognise.js";
export { familyByText, isAdapterFile, recogniseAdapter, type Shapes } from "./recognise-adapter.js";
export { otherClass, SUPPORTED_FAMILIES } from "./unsupported.js";
