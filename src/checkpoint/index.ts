export { clipTokenizer } from "./clip-vocabulary.js";
export type { Checkpoint, Component, ConfigSource, TokenizerFiles } from "./component.js";
export { type Derivation, type DeriveProgress, derive, derivedFolder } from "./derived.js";
export {
  adapterFile,
  adapterIn,
  autoencoderFolder,
  loneFolder,
  type OpenedUNet,
  openCheckpoint,
  openComponentFolder,
  openTokenizer,
  openUNet,
} from "./folder.js";
export { readJson, readText } from "./json.js";
export { openAutoencoderFile, openRecognised, openTextEncoderFile, refusal, shapesOf } from "./parts.js";
export { type LazyTensor, readSafetensors, safetensors, writeTensors } from "./safetensors.js";
export { withTextEncoders } from "./single-file.js";
export { type ByteSource, openFile } from "./source.js";
export { openComponentWeights, openTensorFile, openWeights, readFloats, readTensors } from "./weights.js";
