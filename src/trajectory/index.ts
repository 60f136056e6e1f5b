export { type Finding, type Watched, watch } from "../evaluation/index.js";
export {
  type CommitCurve,
  type Committed,
  commitCurve,
  committed,
  meanDistanceIn,
  SPACES,
  type Space,
  spread,
} from "./commit.js";
export { openPreview, type Preview, type PreviewOptions } from "./preview.js";
export { type RecordedStep, type Recording, record, stepsOf, type Track } from "./record.js";
export { PREVIEWS, type PreviewKind, type TraceRequest, traceFields } from "./request.js";
export type { CausalRow, Trace, TracedMode } from "./result.js";
export { fitRgb, type RgbFit, SDXL_FIT, showRgb } from "./rgb-fit.js";
export { spaceOf } from "./summary.js";
export { modesOf, requestsOf, type TracedImages, type TraceEvent, trace } from "./trace.js";
