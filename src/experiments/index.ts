export {
  type Calibration,
  calibratedSampling,
  calibrationExperiment,
  recommended,
  type Tried,
} from "./calibrate.js";
export { cellsOf, type Origin } from "./cell.js";
export type { ClaimResult, EffectResult } from "./claims.js";
export { type Definition, type DefinitionInput, type PromptSeed, parseDefinition, promptSeeds } from "./definition.js";
export { PAPER } from "./fields.js";
export { statesOf } from "./fleet.js";
export { work } from "./fleet-worker.js";
export { type Front, frontExperiment } from "./front.js";
export { claimsOf, effectsOf, frontNumbersOf, NOTE, numbersOf, summaryOf } from "./markdown.js";
export { kindOf, MEASURES as EXPERIMENT_MEASURES, type MeasureName } from "./measures.js";
export { methodRows } from "./method-rows.js";
export type { ModelRequest } from "./models.js";
export { type PaperName, paperExperiment } from "./paper.js";
export type {
  ExperimentRequest,
  FleetRequest,
  FleetState,
  FleetWorkerOptions,
  FleetWorkerRequest,
  RunOptions,
} from "./request.js";
export { type ExperimentResult, type Forecast, forecast, runExperiments } from "./run.js";
export type { ImageReading, SampleSet } from "./sample-set.js";
export { withAttributes } from "./semantic.js";
export { readPromptSeeds, referenceFile } from "./sources.js";
export { acquireFolder, type CellStore, cellStore, packed, readResults, unpacked } from "./store.js";
export type { Table, TableRow } from "./table.js";
export { unmeasured } from "./unmeasured.js";
export { countsOf, type Verdict, verdictOf } from "./verdict.js";
