/** What can be measured of a row of pictures: one number for each prompt where that makes sense, an estimate with its interval always. */
import {
  cosineDistance,
  distancePerPrompt,
  type Estimate,
  entropy,
  frechetDistance,
  inceptionScore,
  mean,
  meanEstimate,
  neighbours,
  pairwiseDistance,
  quantile,
  ratioEstimate,
} from "../metrics/index.js";
import type { Product } from "../tensor/index.js";

/** What was seen of one picture. */
export interface Seen {
  readonly seed: number;
  /** By the instrument that looked: clip, judge, dreamsim, inception. */
  readonly features: Readonly<Record<string, Float32Array>>;
  /** Cosine of picture and prompt, or of picture and concept, in CLIP. */
  readonly likeness: number;
  /** As the judge reads them; null where there is none. */
  readonly factors: Readonly<Record<string, string | number>> | null;
  readonly numbers: Readonly<Record<string, number>> | null;
  /** CLIP distance of x0 to the finished picture at each step, where it was followed. */
  readonly curve: readonly number[] | null;
}

/** A row with all its pictures; pictures[p] are those of prompt p, by seed. */
export interface Painted {
  readonly name: string;
  readonly pictures: readonly (readonly Seen[])[];
  /** Factors that each prompt names, where a judge knows them. */
  readonly named: readonly Readonly<Record<string, string | number>>[] | null;
  readonly reads: string | null;
  /** Milliseconds for a picture, one for each cell that one worker painted alone. */
  readonly times: readonly number[];
  readonly callsPerImage: number;
  /** Timesteps of the curves. */
  readonly timesteps: readonly number[];
  readonly against: Painted | null;
}

/** Real pictures, as features by instrument. */
export interface Reference {
  readonly features: Readonly<Record<string, readonly Float32Array[]>>;
  readonly multiply: Product;
  readonly about: string;
}

interface Kind {
  readonly title: string;
  readonly better: "more" | "less" | "–";
  readonly digits: number;
  /** One number for each prompt; null where it has none. */
  readonly perPrompt?: (row: Painted) => (number | null)[];
  /** Null where the row has nothing to measure. */
  readonly estimate: (row: Painted, reference: Reference | null) => Promise<Estimate | null> | Estimate | null;
}

/** Features of every picture by one instrument; null where it did not look. */
function featuresOf({ pictures }: Painted, by: string): Float32Array[][] | null {
  const all = pictures.map((p) => p.flatMap((s) => s.features[by] ?? []));
  return all.every((p, i) => p.length === pictures[i]?.length) ? all : null;
}

/** Mean pairwise distance in the features of one instrument. */
const distance = (title: string, by: string): Kind => {
  const several = (row: Painted) => featuresOf(row, by)?.filter((p) => p.length > 1) ?? [];
  return {
    title,
    better: "more",
    digits: 3,
    perPrompt: (row) => distancePerPrompt(featuresOf(row, by) ?? []),
    estimate: (row) => (several(row).length > 0 ? pairwiseDistance(several(row)) : null),
  };
};

/** A kind that is a mean over pictures: values[p][i], or null. */
const ofPictures = (
  title: string,
  better: Kind["better"],
  digits: number,
  values: (row: Painted) => readonly (readonly number[])[] | null,
): Kind => ({
  title,
  better,
  digits,
  perPrompt: (row) => (values(row) ?? []).map((v) => (v.length > 0 ? mean(v) : null)),
  estimate: (row) => {
    const all = (values(row) ?? []).filter((v) => v.length > 0);
    return all.length > 0 ? meanEstimate(all) : null;
  },
});

/** A kind that is one number for each prompt: only prompts can be drawn anew. */
const ofPrompts = (
  title: string,
  better: Kind["better"],
  digits: number,
  values: (row: Painted) => readonly number[] | null,
): Kind => ofPictures(title, better, digits, (row) => values(row)?.map((v) => [v]) ?? null);

/** A measure of the whole row against real pictures. No interval: half a set is measurably worse than the whole. */
const ofSets = (
  title: string,
  better: Kind["better"],
  digits: number,
  by: string,
  of: (pictures: Float32Array[], real: readonly Float32Array[], multiply: Product) => Promise<number>,
): Kind => ({
  title,
  better,
  digits,
  estimate: async (row, reference) => {
    const own = featuresOf(row, by)?.flat() ?? [];
    const real = reference?.features[by] ?? [];
    if (!reference || Math.min(own.length, real.length) <= NEIGHBOURS) return null;
    return { mean: await of(own, real, reference.multiply), low: null, high: null, n: own.length };
  },
});

/** A row's pictures beside those of the row that it is compared with, prompt by prompt and seed by seed. */
function pairsOf({ pictures, against }: Painted): (readonly [Seen, Seen])[][] | null {
  if (!against) return null;
  return pictures.map((p, i) =>
    p.flatMap((seen) => {
      const other = against.pictures[i]?.find((s) => s.seed === seen.seed);
      return other ? [[seen, other] as const] : [];
    }),
  );
}

/** The CLIP score of Hessel et al. 2021 without its factor of 2.5: 100 cos, 0 and up. */
const scoreOf = (seen: Seen): number => 100 * Math.max(0, seen.likeness);

/** Scores so low that a percentage of them says nothing: CLIP does not see the concept. */
const FAINT = 10;

/** A number that the judge reads, or with "factor=a|b" whether a factor has one of these values; null where there is no such thing. */
function readingOf({ factors, numbers }: Seen, reads: string): number | null {
  const [name = "", values] = reads.split("=");
  if (values === undefined) return numbers?.[name] ?? null;
  const value = factors?.[name];
  return value === undefined ? null : Number(values.split("|").includes(`${value}`));
}

/** Entropy of the factors that each prompt leaves free, summed, in nats. */
function freeEntropy({ pictures, named }: Painted): number[] | null {
  if (named === null || pictures.some((p) => p.length < 2)) return null;
  return pictures.map((p, i) => {
    const free = Object.keys(p[0]?.factors ?? {}).filter((f) => !(f in (named[i] ?? {})));
    return free.reduce((h, f) => h + entropy(p.map((s) => s.factors?.[f] ?? "")), 0);
  });
}

/**
 * The step after which a picture stays nearer to its own end than half the distance between seeds, as a share of the run's steps
 * or as the timestep of that step in thousandths [prompts][pictures].
 */
function committed(row: Painted, as: "share" | "level"): number[][] | null {
  if (row.pictures.some((p) => p.length < 2 || p.some((s) => s.curve === null))) return null;
  const apart = distancePerPrompt(featuresOf(row, "clip") ?? []);
  return row.pictures.map((p, i) =>
    p.map(({ curve }) => {
      const steps = curve ?? [];
      const last = steps.findLastIndex((d) => d > (apart[i] ?? 0) / 2);
      const step = Math.min(last + 1, steps.length - 1);
      return as === "share" ? (step + 1) / steps.length : (row.timesteps[step] ?? 0) / 1000;
    }),
  );
}

const NEIGHBOURS = 5;

export const KINDS = {
  distance: distance("CLIP distance", "clip"),
  "judge-distance": distance("judge's distance", "judge"),
  "dreamsim-distance": distance("DreamSim distance", "dreamsim"),
  entropy: ofPrompts("entropy of free factors, nats", "more", 2, freeEntropy),
  named: ofPictures(
    "named factors right",
    "more",
    3,
    ({ pictures, named }) =>
      named &&
      pictures.map((p, i) =>
        p.flatMap((s) => Object.entries(named[i] ?? {}).map(([f, value]) => Number(s.factors?.[f] === value))),
      ),
  ),
  likeness: ofPictures("CLIP score (100 cos)", "more", 1, ({ pictures }) => pictures.map((p) => p.map(scoreOf))),
  change: {
    title: "change of CLIP score, %",
    better: "more",
    digits: 1,
    // Of the mean score, as in the paper: single pictures may score next to nothing.
    estimate: (row) => {
      const both = (pairsOf(row) ?? []).filter((p) => p.length > 0);
      const [a, b] = [0, 1].map((which) => both.map((p) => mean(p.map((pair) => scoreOf(pair[which as 0 | 1])))));
      if (!a || !b || both.length === 0 || mean(b) < FAINT) return null;
      const { mean: m, low, high, n } = ratioEstimate(a, b);
      const percent = (v: number) => 100 * (v - 1);
      return {
        mean: percent(m),
        low: low === null ? null : percent(low),
        high: high === null ? null : percent(high),
        n,
      };
    },
  },
  identity: ofPictures(
    "identity kept (CLIP cosine)",
    "more",
    3,
    (row) =>
      pairsOf(row)?.map((p) =>
        p.map(([a, b]) => 1 - cosineDistance(a.features["clip"] ?? NOTHING, b.features["clip"] ?? NOTHING)),
      ) ?? null,
  ),
  reading: ofPictures("change of the judge's reading", "more", 3, (row) => {
    const { reads } = row;
    if (reads === null) return null;
    const all = pairsOf(row)?.map((p) => p.map(([a, b]) => [readingOf(a, reads), readingOf(b, reads)] as const));
    if (!all || all.some((p) => p.some(([a, b]) => a === null || b === null))) return null;
    return all.map((p) => p.map(([a, b]) => (a ?? 0) - (b ?? 0)));
  }),
  committed: ofPictures("committed after this share of the steps", "less", 2, (row) => committed(row, "share")),
  "committed-level": ofPictures("noise level at commitment, t / 1000", "more", 2, (row) => committed(row, "level")),
  frechet: ofSets("Fréchet distance (CLIP)", "less", 3, "clip", frechetDistance),
  fid: ofSets("FID", "less", 2, "inception", frechetDistance),
  "inception-score": {
    title: "Inception score",
    better: "more",
    digits: 2,
    estimate: (row) => {
      const logits = featuresOf(row, "inception-logits")?.flat() ?? [];
      return logits.length < 2 ? null : { mean: inceptionScore(logits), low: null, high: null, n: logits.length };
    },
  },
  precision: ofSets(
    "precision",
    "more",
    3,
    "clip",
    async (a, b, x) => (await neighbours(b, a, NEIGHBOURS, x)).precision,
  ),
  recall: ofSets("recall", "more", 3, "clip", async (a, b, x) => (await neighbours(b, a, NEIGHBOURS, x)).recall),
  time: {
    title: "ms for a picture",
    better: "less",
    digits: 1,
    estimate: ({ times }) => {
      if (times.length === 0) return null;
      const sorted = times.toSorted((a, b) => a - b);
      const at = (q: number) => quantile(sorted, q);
      // The median, and the middle half of the cells: how much it varied, not how well the median is known.
      const spread = sorted.length > 2 ? { low: at(0.25), high: at(0.75) } : { low: null, high: null };
      return { mean: at(0.5), ...spread, n: sorted.length };
    },
  },
  calls: {
    title: "model calls",
    better: "less",
    digits: 0,
    estimate: ({ callsPerImage }) => ({ mean: callsPerImage, low: null, high: null, n: 1 }),
  },
} as const satisfies Record<string, Kind>;

const NOTHING = new Float32Array();

export type MeasureName = keyof typeof KINDS;
export const MEASURES = Object.keys(KINDS) as [MeasureName, ...MeasureName[]];

export const kindOf = (name: MeasureName): Kind => KINDS[name];

/** a's measure as a share of b's, prompts paired; null where either has none. Measures of whole sets have no interval. */
export async function ratio(
  name: MeasureName,
  a: Painted,
  b: Painted,
  reference: Reference | null,
): Promise<Estimate | null> {
  const { perPrompt, estimate } = kindOf(name);
  const [x, y] = [await estimate(a, reference), await estimate(b, reference)];
  if (!x || !y) return null;
  const whole = { mean: x.mean / y.mean, low: null, high: null, n: x.n };
  if (!perPrompt) return whole;
  const others = perPrompt(b);
  const both = perPrompt(a).flatMap((v, p) => {
    const other = others[p] ?? null;
    return v === null || other === null || Number.isNaN(v) || Number.isNaN(other) ? [] : [[v, other] as const];
  });
  if (both.length < 2) return whole;
  return ratioEstimate(
    both.map(([v]) => v),
    both.map(([, v]) => v),
  );
}
