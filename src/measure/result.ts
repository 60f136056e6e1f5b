/** Results of measuring a folder: each measure with its interval, sample size and warnings. */
import type { Estimate } from "../metrics/index.js";
import { counted } from "../tensor/index.js";
import type { Group, ImageFolder } from "./folder.js";

/** All measures of one folder. */
export interface FolderMeasures {
  readonly folder: string;
  readonly prompts: readonly {
    readonly prompt: string;
    readonly told: Group["promptSource"];
    readonly files: readonly string[];
  }[];
  readonly skipped: ImageFolder["skipped"];
  readonly measures: readonly Measure[];
  /** Variance spectrum of the features by instrument, mean over prompts: the first 16 shares. */
  readonly spectra: Readonly<Record<string, readonly number[]>>;
  /** Expected count of each value of an attribute, over the prompts that leave it open. */
  readonly attributes: readonly { readonly name: string; readonly shown: Readonly<Record<string, number>> }[];
}

/** One measure. */
export interface Measure {
  /** Instrument and measure, such as "clip.distance". */
  readonly id: string;
  readonly about: string;
  readonly kind: "diversity" | "semantic" | "fidelity" | "adherence";
  readonly better: "higher" | "lower" | "neither";
  readonly value: Estimate;
  readonly pictures: number;
  readonly prompts: number;
  /** Number of images of the prompt with the fewest, each from another seed. */
  readonly seeds: number;
  /** Number of images of the reference. */
  readonly reference?: number;
  /** Value of each prompt, in the order of `prompts`; null if undefined. */
  readonly perPrompt?: readonly (number | null)[];
  /** Value as a share of the base's on the same prompts, with an interval over these prompts; set where a base folder is given. */
  readonly share?: Estimate;
  readonly warnings: readonly string[];
}

/** Sample size of a measure. */
export interface Sample {
  readonly images: number;
  readonly prompts: number;
  /** Number of images of the prompt with the fewest. */
  readonly smallest: number;
}

export const sampleOf = (groups: readonly Group[]): Sample => ({
  images: groups.reduce((n, g) => n + g.images.length, 0),
  prompts: groups.length,
  smallest: Math.min(...groups.map((g) => g.images.length)),
});

export type Draft = Omit<Measure, "pictures" | "prompts" | "seeds" | "warnings"> & {
  readonly warnings?: readonly (string | false)[];
};

export const measured = (sample: Sample, { warnings = [], ...m }: Draft): Measure => ({
  ...m,
  pictures: sample.images,
  prompts: sample.prompts,
  seeds: sample.smallest,
  warnings: warnings.filter((w) => w !== false),
});

export const pick = <T>(values: readonly T[], at: readonly number[]): T[] => at.flatMap((i) => values.slice(i, i + 1));
export const orNull = (v: number) => (Number.isFinite(v) ? v : null);

export const few = (sample: Sample, least: number, why: string) =>
  sample.smallest < least && `a prompt has only ${counted(sample.smallest, "image")}: ${why}`;

/** Maximum number of multiply-adds for all resamples of a measure. */
export const BUDGET = 4e9;
/** Number of half-set resamples: 50, or fewer if one is expensive. Below 10 there is no interval. */
export const halves = (cost: number): number => Math.min(50, Math.floor(BUDGET / (cost / 4)));
export const noInterval = (resamples: number) => resamples < 10 && "the set is too large for an interval by resampling";
