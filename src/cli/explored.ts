/** The result of an exploration in words. */
import type { Direction, Exploration } from "../explore/index.js";
import { percent } from "./finding.js";

/** "hat: none … top hat", or the number of the direction. */
export const directionName = ({ follows }: Direction, index: number): string =>
  follows ? `${index + 1} · ${follows.attribute}: ${follows.low} … ${follows.high}` : `${index + 1}`;

/** What each mode keeps and loses, in a sentence for each mode beside the reference. */
export function explorationFinding({ modes, directions, reference }: Exploration): string[] {
  return modes.slice(1).map(({ mode, variance }, m) => {
    const count = (verdict: string) => directions.filter((d) => d.modes[m + 1]?.verdict === verdict).length;
    const share = variance ? percent(variance.mean) : "–";
    return `Of the ${directions.length} main directions of the ${reference} model's images, the ${mode} images keep ${count("kept")}, lose ${count("lost")}, and ${count("undecided")} cannot be told; they have ${share} of its variance.`;
  });
}
