export {
  type AutoencoderConfig,
  drawDecoder,
  drawEncoder,
  EPSILON as AUTOENCODER_EPSILON,
  type LatentScaling,
  parseAutoencoderConfig,
} from "./autoencoder.js";
export {
  drawTinyDecoder,
  drawTinyEncoder,
  parseTinyAutoencoderConfig,
  receptiveField,
  type TinyAutoencoderConfig,
} from "./autoencoder-tiny.js";
export { type AnyAutoencoder, AUTOENCODERS, autoencoderOf } from "./autoencoders.js";
export { type ClassifierConfig, drawClassifier, parseClassifierConfig } from "./classifier.js";
export {
  drawImageEncoder,
  drawTextEncoder,
  type ImageEncoderConfig,
  type ImageTower,
  parseClipConfig,
  parseImageEncoderConfig,
  parseTextEncoderConfig,
  pooledIndex,
  type TextEncoderConfig,
  type TextEncoderShape,
} from "./clip.js";
export type { ConfigFile } from "./config.js";
export { type DecoderStage, decoderStages, drawHead } from "./decoder-stages.js";
export {
  type Conditioning,
  type Denoiser,
  type DenoiserCall,
  type DenoiserShape,
  type ImageSize,
  zeroConditioning,
} from "./denoiser.js";
export { DENOISER_CLASSES, denoiserOf } from "./denoisers.js";
export type { DrawingWeights } from "./drawing.js";
export type { DrawnAutoencoder } from "./drawn-autoencoder.js";
export { type BranchKind, type DreamSimBranch, drawDreamSim, dreamSimBranches } from "./dreamsim.js";
export { drawGemma2, type Gemma2Config, type Gemma2Shape, parseGemma2Config } from "./gemma2.js";
export { drawInception, INCEPTION_SIDE } from "./inception.js";
export {
  drawLanguageModel,
  type LanguageModelConfig,
  type LanguageModelShape,
  parseLanguageModelConfig,
} from "./language-model.js";
export { drawLpips, type Trunk, trunkOf } from "./lpips.js";
export { drawT5, parseT5Config, relativeBuckets, type T5Config, type T5Shape } from "./t5.js";
export { drawTextTransformer, TEXT_TRANSFORMER_CLASSES, type TextTransformerClass } from "./text-classes.js";
export { HIDDEN } from "./transformer-layers.js";
export { drawUNet, type UNetShape } from "./unet.js";
export { parseUNetConfig, type UNetConfig } from "./unet-config.js";
export { unetDenoiser } from "./unet-denoiser.js";
export { drawVit, parseVitConfig, type VitConfig, vitConfigOf } from "./vit.js";
