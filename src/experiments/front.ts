/** The front of an experiment's rows: which of them another row beats at no more cost, by paired intervals over prompts. */
import { isDeepStrictEqual } from "node:util";
import type { PlanSource } from "../generate/index.js";
import type { Estimate } from "../metrics/index.js";
import { type Definition, definitionSchema } from "./definition.js";
import { type Estimator, kindOf, type MeasureName, ratio } from "./measures.js";
import { methodRows } from "./method-rows.js";
import type { SampleSet } from "./sample-set.js";
import { MARGIN } from "./verdict.js";

/** Rows as points, compared by some measures. */
export interface Front {
  readonly measures: readonly MeasureName[];
  /** In the order of the rows. */
  readonly points: readonly {
    readonly row: string;
    /** Row that is surely better in one of the measures and worse in none; null for a point of the front. */
    readonly dominatedBy: string | null;
    /** The plain row of its mode; for that of hybrids, the distilled model's; null for the base and the distilled model. */
    readonly than: string | null;
    /** Ratio to that row, by measure, over the same prompts. */
    readonly ratios: Readonly<Partial<Record<MeasureName, Estimate>>>;
  }[];
}

/** How one row is compared with another in a measure: by a 95 % interval and the mean of their ratio, or by the numbers where they have no interval. */
type Comparison = "better" | "worse" | "undecided";

/**
 * Compares all rows. Row a dominates b if it is surely better in a measure, by the whole interval of its ratio to b over the same prompts, and
 * worse in none: neither surely, nor by more than 5 % of the mean, the margin of “at least as much”. Without the second rule a wide interval would
 * hide a loss. Of several, the first with the largest gain in the first measure is named.
 */
export async function frontOf(
  { rows }: Pick<Definition, "rows">,
  measures: readonly MeasureName[],
  sets: ReadonlyMap<string, SampleSet>,
  estimate: Estimator,
): Promise<Front> {
  const points: Front["points"][number][] = [];
  for (const { name } of rows) {
    const own = sets.get(name);
    const stronger: { readonly row: string; readonly gain: number }[] = [];
    for (const [other, set] of sets) {
      if (!own || other === name) continue;
      const verdicts = [];
      for (const measure of measures) verdicts.push(await compare(measure, set, own, estimate));
      if (!verdicts.includes("better") || verdicts.includes("worse")) continue;
      const [first = "distance"] = measures;
      stronger.push({ row: other, gain: (await ratio(first, set, own, estimate))?.mean ?? 1 });
    }
    const [best] = stronger.sort((a, b) => b.gain - a.gain);
    const than = plainRow(rows, name);
    const ratios: Partial<Record<MeasureName, Estimate>> = {};
    const plain = than === null ? undefined : sets.get(than);
    if (own && plain) {
      for (const measure of measures) {
        const found = await ratio(measure, own, plain, estimate);
        if (found) ratios[measure] = found;
      }
    }
    points.push({ row: name, dominatedBy: best?.row ?? null, than, ratios });
  }
  return { measures, points };
}

/** Row that shows what a row's settings change: the first of its mode and models; for the first hybrid, the first of the distilled model. */
function plainRow(rows: Definition["rows"], name: string): string | null {
  const own = rows.find((r) => r.name === name);
  const first = (mode: string | undefined) =>
    rows.find((r) => r.sampling.mode === mode && isDeepStrictEqual(r.models, own?.models))?.name;
  const same = first(own?.sampling.mode);
  const than = same === name && own?.sampling.mode === "hybrid" ? first("distilled") : same;
  return than === undefined || than === name ? null : than;
}

async function compare(measure: MeasureName, a: SampleSet, b: SampleSet, estimate: Estimator): Promise<Comparison> {
  const { better } = kindOf(measure);
  const found = await ratio(measure, a, b, estimate);
  if (!found || better === "–") return "undecided";
  const { mean, low, high } = found;
  const isExact = kindOf(measure).perPrompt === undefined && kindOf(measure).replicates === undefined;
  const [from, to] = isExact ? [mean, mean] : [low ?? 0, high ?? Number.POSITIVE_INFINITY];
  if (from > 1) return better === "more" ? "better" : "worse";
  if (to < 1) return better === "more" ? "worse" : "better";
  return (better === "more" ? mean < 1 - MARGIN : mean > 1 / (1 - MARGIN)) ? "worse" : "undecided";
}

/** Measures of the front: diversity by CLIP and by attributes, adherence, fidelity and cost. */
const FRONT = ["distance", "entropy", "accuracy", "kernel", "calls"] as const satisfies readonly MeasureName[];

export interface FrontRequest {
  readonly prompts: readonly string[];
  /** Images of each row. */
  readonly images: number;
  /** Most model calls of an image. Default: no limit. */
  readonly budget?: number;
}

/**
 * The experiment that compares every diversity method over its settings with base, distilled model and hybrid: 64 prompts × 16 seeds for 1,024
 * images, 16 × 8 for 128, and at least two seeds. Intervals are over prompts, so beyond 16 seeds another prompt tells more than another seed.
 */
export function frontExperiment(pair: PlanSource, { prompts, images, budget }: FrontRequest): Definition {
  const most = Math.min(Math.max(16, Math.round(images / 16)), Math.floor(images / 2));
  const texts = [...new Set(prompts)].slice(0, Math.max(1, most));
  return definitionSchema.parse({
    name: "front",
    title: "Front: diversity, adherence, fidelity and cost of every method",
    prompts: texts,
    // A choice of seeds needs an even number.
    seeds: 2 * Math.max(1, Math.ceil(images / texts.length / 2)),
    measures: [
      ...["distance", "dreamsim-distance", "vendi", "entropy", "attribute-entropy"],
      ...["accuracy", "clip-score", "kernel", "sharpness", "calls", "time"],
    ],
    front: [...FRONT],
    rows: [
      { name: "base", sampling: { mode: "base" } },
      { name: "distilled", sampling: { mode: "distilled" } },
      { name: "hybrid", sampling: { mode: "hybrid", switch: 1 } },
      ...methodRows(pair, budget === undefined ? {} : { budget }),
    ],
  });
}
