export { type CheckReport, checkReference } from "./check.js";
export { chromiumPath, chromiumSentence } from "./chromium.js";
export type { ComponentReport } from "./components.js";
export type { CheckRequest, FitReport } from "./fit.js";
export { type DeviceReport, describeRun, examine, type MachineReport, type Versions, versions } from "./machine.js";
export { inspectModelFolders, type ListedModel } from "./model-folders.js";
export { checkSentences, memorySentence, usesOf } from "./sentences.js";
