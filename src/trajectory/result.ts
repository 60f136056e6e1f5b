/** Measures of a trace, as plain JSON. */
import type { Watched } from "../evaluation/index.js";
import type { Mode } from "../sampling/index.js";
import type { CommitCurve, Committed } from "./commit.js";
import type { RecordedStep } from "./record.js";
import type { PreviewKind } from "./request.js";

/** One value for each space; perceptual is null without a CLIP. */
export type InSpaces<T> = { readonly latent: T; readonly pixel: T; readonly perceptual: T | null };

export interface TracedMode {
  readonly mode: Mode;
  readonly steps: readonly RecordedStep[];
  readonly commit: InSpaces<CommitCurve>;
  /** Mean distance between seeds at each step; null with one seed. */
  readonly spread: InSpaces<readonly number[]> | null;
  /** Agreement of the free attributes of x0 with the final image at each step, above chance; null without a classifier or with one seed. */
  readonly agreement: readonly (number | null)[] | null;
  /** Commitment of each seed; null with one seed, since its unit is the distance between seeds. */
  readonly committed: InSpaces<readonly Committed[]> | null;
  readonly watched: readonly Watched[];
}

/** Effect of running one row of the distilled schedule with the base. */
export interface CausalRow {
  /** null: the distilled model alone. */
  readonly row: number | null;
  readonly timestep: number | null;
  /** Mean distance between the final images of different seeds; null with one seed. */
  readonly diversity: InSpaces<number> | null;
  /** Mean distance of the final image to the distilled model's for the same seed. */
  readonly change: InSpaces<number>;
}

/** All measures of a trace, as plain JSON. */
export interface Trace {
  readonly prompt: string;
  readonly seeds: readonly number[];
  readonly size: { readonly width: number; readonly height: number };
  readonly preview: PreviewKind;
  /** Mean distance between the final images of different seeds in the first mode: the unit of commitment. */
  readonly apart: InSpaces<number> | null;
  readonly modes: readonly TracedMode[];
  readonly causal: readonly CausalRow[] | null;
  /** What was found, in sentences, in CLIP features where there is a CLIP and in pixels otherwise. */
  readonly summary: readonly string[];
}
