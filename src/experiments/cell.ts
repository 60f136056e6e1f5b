/** Cells: an experiment cut into pieces of work, each known by a hash of everything that its pictures follow from. */
import { createHash } from "node:crypto";
import type { Plan } from "../sampling/index.js";
import type { Definition, ExperimentRow, Sitting } from "./definition.js";

/** One row of an experiment over some of its pictures. */
export interface Cell {
  readonly id: string;
  readonly row: ExperimentRow;
  readonly sittings: readonly Sitting[];
  /** Model calls that it takes; guidance counts twice. */
  readonly calls: number;
  /** Steps of one picture. */
  readonly steps: number;
}

/** What a row's pictures follow from, beside prompts and seeds. */
export interface Origin {
  readonly plan: Plan;
  /** Steps of one picture, and model calls: guidance takes two a step. */
  readonly steps: number;
  readonly calls: number;
  /** Hash of every weight and config that has a part in it: models, instruments, adapter. */
  readonly weights: string;
}

/** Pictures of a cell at most: little is lost with one, and a batch is full. */
const PICTURES = 64;
/** A change of what a cell's result holds makes it another cell. */
const FORMAT = 1;

/**
 * The cells of an experiment in the order of work: all rows that share models take turns over the same pictures, so that what is there
 * after a while can be compared. origins: by name of row.
 */
export function cellsOf(
  definition: Definition,
  sittings: readonly (readonly Sitting[])[],
  origins: ReadonlyMap<string, Origin>,
): Cell[] {
  const together = [...new Set(definition.rows.map((r) => JSON.stringify(r.models ?? null)))].map((models) =>
    definition.rows.filter((r) => JSON.stringify(r.models ?? null) === models),
  );
  return together.flatMap((rows) =>
    chunksOf(sittings).flatMap((chunk) =>
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
          sittings: chunk,
        };
        const id = createHash("sha256").update(JSON.stringify(content)).digest("hex").slice(0, 16);
        return [{ id, row, sittings: chunk, calls: origin.calls * chunk.length, steps: origin.steps }];
      }),
    ),
  );
}

/** Whole prompts together, or a prompt in pieces where it has many seeds. */
function chunksOf(sittings: readonly (readonly Sitting[])[]): Sitting[][] {
  const chunks: Sitting[][] = [];
  let open: Sitting[] = [];
  for (const prompt of sittings) {
    if (open.length + prompt.length > PICTURES && open.length > 0) {
      chunks.push(open);
      open = [];
    }
    for (let at = 0; at < prompt.length; at += PICTURES) {
      const some = prompt.slice(at, at + PICTURES);
      if (some.length + open.length <= PICTURES) open.push(...some);
      else chunks.push(some);
    }
  }
  if (open.length > 0) chunks.push(open);
  return chunks;
}
