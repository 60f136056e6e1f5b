/** Results of measuring a folder: each number with its interval, its sample and warnings, and the helpers that make one. */
import type { Estimate } from "../metrics/index.js";
import type { Group, PictureFolder } from "./folder.js";

/** All measures of one folder. */
export interface FolderMeasures {
  readonly folder: string;
  readonly prompts: readonly {
    readonly prompt: string;
    readonly told: Group["told"];
    readonly files: readonly string[];
  }[];
  readonly skipped: PictureFolder["skipped"];
  readonly measures: readonly Measure[];
  /** Shares of the variance of features, mean over prompts, by instrument: the first 16. */
  readonly spectra: Readonly<Record<string, readonly number[]>>;
  /** Counts of each value of an attribute, over the prompts that leave it free. */
  readonly attributes: readonly { readonly name: string; readonly shown: Readonly<Record<string, number>> }[];
}

/** One number. */
export interface Measure {
  /** Instrument and measure, such as "clip.distance". */
  readonly id: string;
  readonly about: string;
  readonly kind: "diversity" | "semantic" | "fidelity" | "adherence";
  readonly better: "higher" | "lower" | "neither";
  readonly value: Estimate;
  readonly pictures: number;
  readonly prompts: number;
  /** Pictures of the reference, where there is one. */
  readonly reference?: number;
  /** The value of each prompt, in the order of `prompts`; null where it has none. */
  readonly perPrompt?: readonly (number | null)[];
  readonly warnings: readonly string[];
}

export interface Sample {
  readonly pictures: number;
  readonly prompts: number;
  readonly smallest: number;
}

export const sampleOf = (groups: readonly Group[]): Sample => ({
  pictures: groups.reduce((n, g) => n + g.pictures.length, 0),
  prompts: groups.length,
  smallest: Math.min(...groups.map((g) => g.pictures.length)),
});

export type Draft = Omit<Measure, "pictures" | "prompts" | "warnings"> & {
  readonly warnings?: readonly (string | false)[];
};

export const measured = (sample: Sample, { warnings = [], ...m }: Draft): Measure => ({
  ...m,
  pictures: sample.pictures,
  prompts: sample.prompts,
  warnings: warnings.filter((w) => w !== false),
});

export const pick = <T>(values: readonly T[], at: readonly number[]): T[] => at.flatMap((i) => values.slice(i, i + 1));
export const orNull = (v: number) => (Number.isFinite(v) ? v : null);

export const few = (sample: Sample, least: number, why: string) =>
  sample.smallest < least && `a prompt has only ${sample.smallest} pictures: ${why}`;

/** Multiply-adds that resampling may take in all. */
export const BUDGET = 4e9;
/** 50 halves, fewer where one costs much; below 10 there is no interval. */
export const halves = (cost: number): number => Math.min(50, Math.floor(BUDGET / (cost / 4)));
export const noInterval = (resamples: number) => resamples < 10 && "the set is too large for an interval by halves";
