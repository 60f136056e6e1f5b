export { blobSource } from "./blob-source.js";
export { type ClipPadding, type ClipVocabulary, clipTokenizerFiles, parseClipVocabulary } from "./clip-vocabulary.js";
export type { Checkpoint, Component, ConfigSource, TokenizerFiles } from "./component.js";
export { type Derivation, type Derive, type DeriveProgress, derivedBytes, deriveInMemory } from "./derivation.js";
export { type FileSystem, folderOf, isFile, nameIn, readJson } from "./file-system.js";
export {
  adapterConfig,
  adapterFile,
  adapterIn,
  autoencoderFolder,
  openCheckpoint,
  openComponentFolder,
  openTokenizer,
  openUNet,
} from "./folder.js";
export { parseJsonText } from "./json.js";
export { type LatentScaling, readAutoencoder, readRecognised, readTextEncoder, refusal, shapesOf } from "./parts.js";
export { safetensors } from "./safetensors.js";
export { readSingleFile, withTextEncoders } from "./single-file.js";
export { type OpenedUNet, readUNet } from "./unet.js";
export { openUrl, type UrlOptions } from "./url-source.js";
export { type FileWeights, readCodes, readFloats, readWeights, tensorsOf } from "./weights.js";
