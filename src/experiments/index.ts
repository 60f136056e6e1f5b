export { cellsOf, type Origin } from "./cell.js";
export { type Definition, type DefinitionInput, parseDefinition, sittingsOf } from "./definition.js";
export { claimsOf, numbersOf } from "./markdown.js";
export { kindOf, MEASURES as EXPERIMENT_MEASURES, type MeasureName, type Painted, type Seen } from "./measures.js";
export { PAPER, type PaperName, paperExperiment } from "./paper.js";
export {
  type ExperimentRequest,
  type Forecast,
  forecast,
  type Outcome,
  type RunOptions,
  runExperiments,
} from "./run.js";
export { readSittings, referenceFile } from "./sources.js";
export type { Claims } from "./store.js";
export { claimsIn, packed, readResults, takeFolder, unpacked } from "./store.js";
export type { Judgement, Table, TableRow } from "./table.js";
export { type Verdict, verdictOf } from "./verdict.js";
