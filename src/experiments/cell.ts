/** Cells: units of work of an experiment, each identified by a hash of everything that determines its images. */
import { createHash } from "node:crypto";
import type { Plan } from "../sampling/index.js";
import type { Definition, ExperimentRow, PromptSeed } from "./definition.js";

/** One row of an experiment with some of its prompt–seed pairs. */
export interface Cell {
  readonly id: string;
  readonly row: ExperimentRow;
  readonly samples: readonly PromptSeed[];
  /** Number of model calls; a guided step counts twice. */
  readonly calls: number;
  /** Number of steps of one image. */
  readonly steps: number;
}

/** Everything that determines a row's images, except prompts and seeds. */
export interface Origin {
  readonly plan: Plan;
  /** Number of steps and of model calls of one image; a guided step has two calls. */
  readonly steps: number;
  readonly calls: number;
  /** Hash of the weights and configs of models, instruments and adapter. */
  readonly weights: string;
}

/** Maximum number of images of a cell: enough for a full batch, and small enough to lose. */
const LARGEST = 64;
/** Version of the cell format. Changing it changes the id of every cell. */
const FORMAT = 2;

/**
 * Cells of an experiment in the order of work: rows with the same models alternate over the same prompts, so that results can be compared
 * early. origins: by row name.
 */
export function cellsOf(
  definition: Definition,
  prompts: readonly (readonly PromptSeed[])[],
  origins: ReadonlyMap<string, Origin>,
): Cell[] {
  const byModels = [...new Set(definition.rows.map((r) => JSON.stringify(r.models ?? null)))].map((models) =>
    definition.rows.filter((r) => JSON.stringify(r.models ?? null) === models),
  );
  return byModels.flatMap((rows) =>
    chunksOf(prompts).flatMap((chunk) =>
      rows.flatMap((row) => {
        const origin = origins.get(row.name);
        if (!origin) return [];
        const content = {
          format: FORMAT,
          plan: origin.plan.rows,
          weights: origin.weights,
          negative: row.sampling.negative ?? null,
          size: row.sampling.size ?? null,
          // Absent where they have no value: cells from before have neither.
          promptSyntax: row.sampling.promptSyntax,
          clipSkip: row.sampling.clipSkip,
          scale: row.adapter?.scale ?? null,
          // Cells from before attributes were read at every step have the value true.
          follow: row.follow && "attributes",
          // An earlier name: another key would change the ids of finished cells.
          sittings: chunk,
        };
        const id = createHash("sha256").update(JSON.stringify(content)).digest("hex").slice(0, 16);
        return [{ id, row, samples: chunk, calls: origin.calls * chunk.length, steps: origin.steps }];
      }),
    ),
  );
}

/** Groups whole prompts, and splits a prompt with many seeds. */
function chunksOf(prompts: readonly (readonly PromptSeed[])[]): PromptSeed[][] {
  const chunks: PromptSeed[][] = [];
  let open: PromptSeed[] = [];
  for (const prompt of prompts) {
    if (open.length + prompt.length > LARGEST && open.length > 0) {
      chunks.push(open);
      open = [];
    }
    for (let at = 0; at < prompt.length; at += LARGEST) {
      const some = prompt.slice(at, at + LARGEST);
      if (some.length + open.length <= LARGEST) open.push(...some);
      else chunks.push(some);
    }
  }
  if (open.length > 0) chunks.push(open);
  return chunks;
}
