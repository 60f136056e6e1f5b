export { clipTokenizer } from "./clip-vocabulary.js";
export { derivedFolder, deriveInFile } from "./derived.js";
export { openFile } from "./file-source.js";
export {
  adapterConfig,
  adapterFile,
  adapterIn,
  autoencoderFolder,
  loneFolder,
  openCheckpoint,
  openComponentFolder,
  openTokenizer,
  openUNet,
} from "./folder.js";
export { readJson, readText } from "./json.js";
export { openComponentWeights, openWeights, readTensors } from "./weights.js";
export { type LazyTensor, writeTensors } from "./write-tensors.js";
