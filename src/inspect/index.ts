export { type CheckReport, type CheckRequest, type ComponentReport, checkReference, type FitReport } from "./check.js";
export { type DeviceReport, describeRun, examine, type MachineReport, type Versions, versions } from "./machine.js";
export { inspectModelFolders, type ListedModel } from "./model-folders.js";
