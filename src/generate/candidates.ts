/** The seeds that a request with a choice runs at first. Chooses none. */
import { RequestError } from "../errors.js";
import type { GenerateRequest } from "./request.js";

/**
 * Seeds that a request runs: without a choice its own, with one those to choose from, counted from the one that it names.
 * @throws RequestError for another number of seeds
 */
export function seedsToRun({
  seeds = [0],
  choose,
  samples,
}: Pick<GenerateRequest, "seeds" | "choose" | "samples">): readonly number[] {
  const [first = 0, ...more] = seeds;
  // Listed samples are checked by prompt.
  if (!choose || seeds.length === choose.of || (samples && more.length > 0)) return seeds;
  if (more.length === 0) return Array.from({ length: choose.of }, (_, i) => first + i);
  throw new RequestError(
    `--choose ${choose.keep}/${choose.of} chooses from ${choose.of} seeds, and ${seeds.length} are given; give ${choose.of}, or the first`,
    { field: "choose" },
  );
}

/** @throws RequestError where samples are listed that are not all of a prompt's seeds to choose from */
export function checkChoice({ choose, samples }: GenerateRequest): void {
  if (!choose || !samples) return;
  for (const prompt of new Set(samples.map((s) => s.prompt))) {
    const own = samples.filter((s) => s.prompt === prompt).length;
    if (own === choose.of) continue;
    throw new RequestError(
      `choose takes ${choose.keep} of ${choose.of} seeds, and ${own} samples of prompt ${prompt} are listed; list ${choose.of}, or leave choose out`,
      { field: "samples" },
    );
  }
}
