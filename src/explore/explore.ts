/**
 * Directions of a prompt's variety: the principal directions of the features of a model's images, how much of the variance along each other
 * models keep, and which attribute a direction follows. Analysis of what a distilled model lost (Gandikota and Bau 2025, §3), by directions
 * that are not named beforehand.
 */
import { RequestError } from "../errors.js";
import { type Evaluator, evaluate, type Reading } from "../evaluation/index.js";
import { type GenerateRequest, requestForMode } from "../generate/index.js";
import {
  coordinates,
  correlationRatio,
  type Directions,
  type Estimate,
  effectiveRank,
  FEWEST,
  indices,
  jackknifeEstimate,
  mean,
  principalDirections,
  totalVariance,
  variance,
  varianceSpectrum,
} from "../metrics/index.js";
import type { OpenedPair } from "../open/index.js";
import type { Mode } from "../sampling/index.js";
import { counted, type RgbImage } from "../tensor/index.js";
import { pixelFeatures } from "./pixels.js";
import { DIRECTIONS, type ExploreRequest } from "./request.js";

/** Images of one mode, one for each seed of the request. */
export interface ExploredMode {
  readonly mode: Mode;
  readonly images: readonly RgbImage[];
}

/** What a model keeps of the reference's variance along a direction: lost where its 95 % interval is below a half, kept where it is above. */
export type Kept = "lost" | "kept" | "undecided";

/** A direction of the reference's variety. */
export interface Direction {
  /** Share of the reference's variance that lies along it, 0…1, on the seeds that did not find it. */
  readonly share: number;
  /** The classifier's attribute that follows it most closely; null without a classifier, or where none explains 0.3 of its variance. */
  readonly follows: {
    readonly attribute: string;
    /** Correlation ratio η², 0…1. */
    readonly share: number;
    /** Values at the two ends. */
    readonly low: string;
    readonly high: string;
  } | null;
  /** One for each mode, in the order of the request. */
  readonly modes: readonly {
    readonly mode: Mode;
    /** Variance as a share of the reference's; null for the reference. */
    readonly variance: Estimate | null;
    readonly verdict: Kept | null;
    /** Coordinate of the image of each seed. */
    readonly at: readonly number[];
  }[];
}

/** Result, as plain JSON. */
export interface Exploration {
  readonly prompt: string;
  readonly seeds: readonly number[];
  /** Seeds whose images found the directions; variances are those of the others. */
  readonly found: readonly number[];
  readonly features: "clip" | "pixels";
  /** Mode whose images found the directions. */
  readonly reference: Mode;
  readonly directions: readonly Direction[];
  readonly modes: readonly {
    readonly mode: Mode;
    /** Variance of all features as a share of the reference's; null for the reference. */
    readonly variance: Estimate | null;
    /** Effective number of directions of the mode's own variance (Roy and Vetterli 2007), of at most the number of measured seeds less one. */
    readonly effectiveRank: number;
    /** Own variance along the mode's own principal directions, as shares of its sum, descending. */
    readonly spectrum: readonly number[];
  }[];
}

/** Fewest images for an interval over the seeds of one half. */
const FEWEST_SEEDS = 2 * FEWEST;
/** Least share of a direction's variance that an attribute explains where it is named. */
const FOLLOWS = 0.3;

/**
 * Creates the request of each mode.
 * @throws RequestError for fewer than ten seeds
 */
export function exploreRequests(pair: OpenedPair, request: ExploreRequest): GenerateRequest[] {
  const { prompt, modes, directions: _directions, clip: _clip, ...rest } = request;
  const seeds = new Set(rest.seeds ?? [0]).size;
  if (seeds < FEWEST_SEEDS) {
    throw new RequestError(
      `explore has ${counted(seeds, "seed")} and needs ${FEWEST_SEEDS} or more, such as --seeds 0-63: half find the directions, half are measured`,
      { field: "seeds" },
    );
  }
  const asked = modes ?? (pair.distilled ? (["base", "distilled", "hybrid"] as const) : (["base"] as const));
  return asked.map((mode) => requestForMode(mode, { ...rest, prompts: [prompt] }));
}

/**
 * Finds the directions on the images of every second seed of the first mode, and measures all modes on the other seeds: measured on the
 * seeds that found them, a direction would look larger in the reference than it is.
 * @param made images of each mode, in the order of `exploreRequests`
 * @param evaluator null for features of pixels
 */
export async function exploration(
  { prompt, seeds = [0], directions: count = DIRECTIONS }: ExploreRequest,
  made: readonly ExploredMode[],
  evaluator: Evaluator | null,
): Promise<Exploration> {
  const readings: (Reading | null)[] = [];
  for (const { images } of made) readings.push(evaluator && (await evaluate(evaluator, [images], [prompt])));
  const features = made.map(({ images }, m) => readings[m]?.features[0]?.map(unit) ?? images.map(pixelFeatures));
  const [reference, firstFeatures] = [made[0]?.mode ?? "base", features[0] ?? []];
  const [finding, measuring] = [0, 1].map((side) => indices(seeds.length).filter((i) => i % 2 === side)) as [
    number[],
    number[],
  ];
  const some = <T>(values: readonly T[], which: readonly number[]): T[] => which.flatMap((i) => values[i] ?? []);
  const found = principalDirections(some(firstFeatures, finding), count);
  const at = features.map((own) => coordinates(own, found));
  const halves = features.map((own) => some(own, measuring));
  const whole = totalVariance(halves[0] ?? []);
  return {
    prompt,
    seeds,
    found: some(seeds, finding),
    features: evaluator ? "clip" : "pixels",
    reference,
    directions: directionsOf(found, at, measuring, {
      whole,
      modes: made.map((m) => m.mode),
      reading: readings[0] ?? null,
    }),
    modes: made.map(({ mode }, m) => ({
      mode,
      variance: m === 0 ? null : shareEstimate(halves[m] ?? [], halves[0] ?? [], totalVariance),
      effectiveRank: effectiveRank(halves[m] ?? []),
      spectrum: varianceSpectrum(halves[m] ?? []),
    })),
  };
}

/** Features of unit length, whose distances are those of cosines. */
function unit(features: Float32Array): Float32Array {
  const length = Math.hypot(...features) || 1;
  return features.map((v) => v / length);
}

interface Known {
  /** Variance of the reference's features. */
  readonly whole: number;
  readonly modes: readonly Mode[];
  /** Reading of the reference's images. */
  readonly reading: Reading | null;
}

/** at[m][i][s]: coordinate of seed s of mode m along direction i. */
function directionsOf(
  { vectors }: Directions,
  at: readonly (readonly (readonly number[])[])[],
  measuring: readonly number[],
  { whole, modes, reading }: Known,
): Direction[] {
  return indices(vectors.rows).map((i) => {
    const own = at.map((mode) => mode[i] ?? []);
    const measured = own.map((values) => measuring.map((s) => values[s] ?? Number.NaN));
    return {
      share: variance(measured[0] ?? []) / whole,
      follows: followed(own[0] ?? [], reading),
      modes: modes.map((mode, m) => {
        const kept = m === 0 ? null : shareEstimate(measured[m] ?? [], measured[0] ?? [], variance);
        return { mode, variance: kept, verdict: kept && verdictOf(kept), at: own[m] ?? [] };
      }),
    };
  });
}

/** Ratio of a measure of two models' samples of the same seeds, with a jackknife interval over seeds. */
function shareEstimate<T>(
  own: readonly T[],
  reference: readonly T[],
  measure: (values: readonly T[]) => number,
): Estimate {
  const without = <V>(values: readonly V[], i: number): V[] => values.filter((_, j) => j !== i);
  return jackknifeEstimate(
    measure(own) / measure(reference),
    own.map((_, i) => measure(without(own, i)) / measure(without(reference, i))),
  );
}

function verdictOf({ low, high }: Estimate): Kept {
  if (low === null || high === null) return "undecided";
  if (high < 0.5) return "lost";
  return low > 0.5 ? "kept" : "undecided";
}

/** The attribute that explains most of the variance of coordinates, with its values of lowest and highest mean. */
function followed(at: readonly number[], reading: Reading | null): Direction["follows"] {
  const { all = [], predicted: [predicted = []] = [] } = reading?.attributes ?? {};
  const found = all.map((attribute) => {
    const values = predicted.map((p) => String(p[attribute]));
    return { attribute, values, share: correlationRatio(at, values) };
  });
  const [best] = found.filter((f) => f.share >= FOLLOWS).sort((a, b) => b.share - a.share);
  if (!best) return null;
  const means = [...new Set(best.values)].map((value) => ({
    value,
    mean: mean(at.filter((_, i) => best.values[i] === value)),
  }));
  const [low, high] = [
    means.reduce((a, b) => (b.mean < a.mean ? b : a)),
    means.reduce((a, b) => (b.mean > a.mean ? b : a)),
  ];
  return { attribute: best.attribute, share: best.share, low: low.value, high: high.value };
}
