export { clipTokenizer } from "./clip-vocabulary.js";
export { derivedFolder, deriveInFile } from "./derived.js";
export { disk } from "./disk.js";
export { openFile } from "./file-source.js";
export {
  adapterConfig,
  adapterFile,
  adapterIn,
  autoencoderFolder,
  loneFolder,
  openCheckpoint,
  openComponentFolder,
  openComponentWeights,
  openTokenizer,
  openUNet,
  openWeights,
  readTensors,
} from "./folder.js";
export { readJson, readText } from "./json.js";
export { type LazyTensor, writeTensors } from "./write-tensors.js";
