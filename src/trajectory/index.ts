export {
  type CommitCurve,
  type Committed,
  commitCurve,
  committed,
  meanDistanceIn,
  rootMeanSquare,
  SPACES,
  type Space,
  spread,
} from "./commit.js";
export { openPreview, PREVIEWS, type Preview, type PreviewKind } from "./preview.js";
export { type RecordedStep, type Recording, record, stepsOf, type Track } from "./record.js";
export { type TraceRequest, traceFields } from "./request.js";
export { fitRgb, type RgbFit, SDXL_FIT, showRgb } from "./rgb-fit.js";
export {
  type CausalRow,
  modesOf,
  requestsOf,
  type Trace,
  type TracedImages,
  type TracedMode,
  type TraceEvent,
  trace,
} from "./trace.js";
export { type Finding, type Watched, watch } from "./watch.js";
