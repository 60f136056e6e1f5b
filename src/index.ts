/**
 * The public API: open a pair of models, generate with both, read the run as events. Further names are under sub-paths, one for a room:
 * variegate/adapters, /checkpoint, /control, /convert, /evaluation, /experiments, /files, /hub, /inspect, /instruments, /lookup, /measure,
 * /metrics, /models, /networks, /open, /runtime, /sampling, /tensor, /trajectory; what needs Node in /checkpoint/node and /runtime/node.
 */
export { PAIRS, type PairRow } from "./catalogue/index.js";
export { readPairs } from "./catalogue/node/index.js";
export { type Slide, type SlideRequest, slide } from "./control/index.js";
export { type ComfyWorkflow, comfyWorkflow, diffusersScript, extractAdapter, mergeAdapters } from "./convert/index.js";
export { decodeLatents } from "./decode/index.js";
export {
  FileError,
  MachineError,
  NonFiniteError,
  RequestError,
  UnsupportedConfigError,
  VariegateError,
  WeightMissingError,
  WeightShapeError,
} from "./errors.js";
export {
  type DiverseImage,
  type Diversity,
  diversity,
  evaluate,
  keptDiversity,
  summarise,
} from "./evaluation/index.js";
export { type Definition, parseDefinition, runExperiments } from "./experiments/index.js";
export { savePng } from "./files/index.js";
export {
  eventJson,
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
} from "./generate/index.js";
export { type CheckReport, checkReference, examine } from "./inspect/index.js";
export { type Measurement, type MeasureRequest, measure } from "./measure/index.js";
export {
  type OpenedPair,
  type OpenOptions,
  openEvaluator,
  openPair,
  openPlanSource,
  type PairReference,
} from "./open/index.js";
export { describePlan, type Mode, type NoiseLevel, type Plan, type Row } from "./sampling/index.js";
export type { FloatTensor, RgbImage } from "./tensor/index.js";
export {
  openPreview,
  type Preview,
  type PreviewOptions,
  type Trace,
  type TraceRequest,
  trace,
} from "./trajectory/index.js";
