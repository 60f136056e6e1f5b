export { type Definition, type DefinitionInput, parseDefinition } from "./definition.js";
export { claimsOf, numbersOf } from "./markdown.js";
export { MEASURES as EXPERIMENT_MEASURES, type MeasureName } from "./measures.js";
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
export type { Judgement, Table, TableRow, Verdict } from "./table.js";
