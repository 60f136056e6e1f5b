/** Cells: an experiment cut into pieces of work, each named by a hash of everything that its images follow from. */
import { createHash } from "node:crypto";
import type { Plan } from "../sampling/index.js";
import type { Definition, ExperimentRow, PromptSeed } from "./definition.js";

/** One row of an experiment over some of its prompt–seed pairs. */
export interface Cell {
  readonly id: string;
  readonly row: ExperimentRow;
  readonly samples: readonly PromptSeed[];
  /** Model calls that it takes; guidance counts twice. */
  readonly calls: number;
  /** Steps of one image. */
  readonly steps: number;
}

/** Everything that a row's images follow from, beside prompts and seeds. */
export interface Origin {
  readonly plan: Plan;
  /** Steps of one image, and model calls: guidance takes two a step. */
  readonly steps: number;
  readonly calls: number;
  /** Hash of every weight and config that has a part in it: models, instruments, adapter. */
  readonly weights: string;
}

/** Images of a cell at most: enough for a full batch, and little is lost with one cell. */
const LARGEST = 64;
/** A change of what a cell's result holds makes it another cell. */
const FORMAT = 1;

/**
 * The cells of an experiment in the order of work: all rows that share models take turns over the same prompts, so that results can be
 * compared early. origins: by name of row.
 */
export function cellsOf(
  definition: Definition,
  prompts: readonly (readonly PromptSeed[])[],
  origins: ReadonlyMap<string, Origin>,
): Cell[] {
  const together = [...new Set(definition.rows.map((r) => JSON.stringify(r.models ?? null)))].map((models) =>
    definition.rows.filter((r) => JSON.stringify(r.models ?? null) === models),
  );
  return together.flatMap((rows) =>
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
          scale: row.adapter?.scale ?? null,
          follow: row.follow,
          // Kept from before a rename: another key would make another cell of the same work.
          sittings: chunk,
        };
        const id = createHash("sha256").update(JSON.stringify(content)).digest("hex").slice(0, 16);
        return [{ id, row, samples: chunk, calls: origin.calls * chunk.length, steps: origin.steps }];
      }),
    ),
  );
}

/** Whole prompts together, or a prompt in pieces where it has many seeds. */
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
