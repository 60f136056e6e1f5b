/** The files behind the source of a plan, for writers that need more than its schedulers. */
import type { PlanSource } from "../generate/index.js";
import { type LocatedPair, type PairFiles, readPair } from "../open/index.js";

/** A source of plans: of a named pair that has not been opened, or of a pair read from files. */
export type ReadSource = PlanSource | PairFiles;

/** A source, with the files of a pair that is open. Named pairs that have not been opened stay as they are. */
export async function readSource(source: PlanSource & { readonly located?: LocatedPair }): Promise<ReadSource> {
  return source.located ? readPair(source.located) : source;
}
