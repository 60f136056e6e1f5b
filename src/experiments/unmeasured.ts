/** Measures of a definition that a run cannot have, by what the request and the rows leave out. */
import type { Definition } from "./definition.js";
import type { MeasureName } from "./measures.js";
import type { ExperimentRequest } from "./request.js";

/** Option of the command line without which a measure has no value, and its field. */
const OPTIONS: Partial<Record<MeasureName, readonly [flag: string, field: "attributes" | "dreamsim" | "inception"]>> = {
  "dreamsim-distance": ["--dreamsim", "dreamsim"],
  "attribute-entropy": ["--attributes", "attributes"],
  fid: ["--inception", "inception"],
  "fid-floor": ["--inception", "inception"],
  "inception-score": ["--inception", "inception"],
};

/** Field without which a row has no value. */
const FIELDS: Partial<Record<MeasureName, "against" | "attribute" | "follow">> = {
  change: "against",
  identity: "against",
  "attribute-change": "attribute",
  committed: "follow",
  "committed-level": "follow",
  "first-agreement": "follow",
};

/** One sentence for each measure of a definition that has no value in any row, with what it needs. */
export function unmeasured(
  { measures, rows }: Definition,
  request: Pick<ExperimentRequest, "attributes" | "dreamsim" | "inception">,
): string[] {
  return measures.flatMap((measure) => {
    const [flag, option] = OPTIONS[measure] ?? [];
    if (option && request[option] === undefined) return [`${measure} is not measured without ${flag}`];
    const field = FIELDS[measure];
    if (field && !rows.some((row) => row[field] !== undefined && row[field] !== false))
      return [`${measure} is not measured: no row has "${field}"`];
    return [];
  });
}
