/**
 * The engine in a page: the same pairs, requests, events and errors as in Node, with ONNX Runtime as WebAssembly or on WebGPU in a worker.
 * Nothing is uploaded, and no address is asked that the page or its user did not name.
 */
import "./no-eval.js";

export { EMBEDDED_PAIRS, type PairRow } from "../catalogue/index.js";
export { decodeLatents } from "../decode/index.js";
export {
  FileError,
  MachineError,
  NonFiniteError,
  RequestError,
  UnsupportedConfigError,
  VariegateError,
  WeightMissingError,
  WeightShapeError,
} from "../errors.js";
export { type Diversity, diversity, watch } from "../evaluation/index.js";
export {
  checkRequest,
  createGenerateCache,
  eventJson,
  type GenerateCache,
  type GeneratedImage,
  type GenerateEvent,
  type GenerateRequest,
  generate,
  type ImageRequest,
  planFor,
  requestForMode,
  requestSchema,
  type SampleKey,
  type StepEvent,
  settingsFor,
} from "../generate/index.js";
export { cosineDistance, jackknifeEstimate, meanPairwise, pairwise, rootMeanSquare } from "../metrics/index.js";
export type { RuntimeFiles } from "../runtime/web/index.js";
export { describePlan, type Mode, type Plan, planJson, type Row } from "../sampling/index.js";
export type { FloatTensor, RgbImage } from "../tensor/index.js";
export { stack } from "../tensor/index.js";
export type { DownloadProgress } from "./download.js";
export { EMBEDDED_FILES } from "./embedded.js";
export { openPair, type WebPair } from "./open.js";
export { type RecognisedFile, recogniseFile } from "./recognise.js";
export type { ModelReference, WebAdapterReference, WebOptions, WebPairReference } from "./reference.js";
export { clearDownloads, listDownloads, type StoredDownload } from "./store.js";
