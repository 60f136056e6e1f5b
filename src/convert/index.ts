export type { Link, Workflow, WorkflowNode } from "./comfy-graph.js";
export type { ComfyFile } from "./comfy-models.js";
export { type ComfyWorkflow, comfyWorkflow } from "./comfy-workflow.js";
export { commandLine, commandWords, libraryCode } from "./command.js";
export { diffusersScript } from "./diffusers-script.js";
export { type Extracted, type ExtractedLayer, type ExtractRequest, extractAdapter } from "./extract.js";
export { type Infotext, infotext, parseInfotext } from "./infotext.js";
export { type Merged, mergeAdapters } from "./merge.js";
export { withNamedModels } from "./named-models.js";
export { type NamedNetwork, networkDifferences } from "./named-networks.js";
export { batchRequest, pixelHash, type RecordedRun, recordedPng } from "./record.js";
export {
  differences,
  type NamedModel,
  overridden,
  type Recorded,
  type Repeat,
  readRecord,
  readRecorded,
} from "./recorded.js";
