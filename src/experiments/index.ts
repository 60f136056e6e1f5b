export { cellsOf, type Origin } from "./cell.js";
export { type Definition, type DefinitionInput, type PromptSeed, parseDefinition, promptSeeds } from "./definition.js";
export { PAPER } from "./fields.js";
export { claimsOf, numbersOf } from "./markdown.js";
export {
  type ImageReading,
  kindOf,
  MEASURES as EXPERIMENT_MEASURES,
  type MeasureName,
  type SampleSet,
} from "./measures.js";
export { type PaperName, paperExperiment } from "./paper.js";
export type { ExperimentRequest, RunOptions } from "./request.js";
export { type ExperimentResult, type Forecast, forecast, runExperiments } from "./run.js";
export { readPromptSeeds, referenceFile } from "./sources.js";
export { acquireFolder, type CellStore, cellStore, packed, readResults, unpacked } from "./store.js";
export type { ClaimResult, Table, TableRow } from "./table.js";
export { type Verdict, verdictOf } from "./verdict.js";
