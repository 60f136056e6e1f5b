/**
 * What distillation needs to know of a base's noise process, as data: its training levels, the student's steps, what consistency compares and how
 * errors weigh. Objectives know no more of a model than this, its prediction type and its networks.
 */
import type { PlanSource } from "../generate/index.js";
import type { ImageSize } from "../models/index.js";
import { CLEAN, type NoiseLevel, type Prediction, type SamplingRequest, x0Error } from "../sampling/index.js";
import { flowLevels, isFlow, trainingLevels, WEIGHTINGS } from "./levels.js";
import type { TrainedLevel } from "./teacher.js";

/** Sampling of a student: its scheduler, and its steps or timesteps. */
export type StudentSampler = Pick<SamplingRequest, "scheduler" | "timesteps" | "steps">;

export interface Process {
  /** Training levels for images of a size, the cleanest first. */
  levels(pair: Pick<PlanSource, "base" | "family" | "image">, size: ImageSize): TrainedLevel[];
  /** Level at which the base's runs end. Default: the cleanest training level. */
  readonly end?: TrainedLevel;
  /** Weights of x_t and of x0 in what a consistency model makes of x_t; at the end of a run it makes x_t itself. */
  boundary(timestep: number): { readonly skip: number; readonly out: number };
  /** Weight of a squared error of the fake score's output. */
  fakeWeight(prediction: Prediction, level: NoiseLevel): number;
  /** Sampling of a student of some steps. Default: the steps of the pair's own distilled model, else four. */
  student(pair: Pick<PlanSource, "row">, steps: number | undefined): StudentSampler;
}

/** Steps of a distilled model, by default. */
const STEPS = 4;
const TRAINED = 1000;
/** σ of the data and scale of timesteps in the boundary scalings, as LCMScheduler has them. */
const DATA_SIGMA = 0.5;
const TIME_SCALE = 10;
/** Largest weight 1/√SNR of an error of ε in the loss of the fake score. */
const MOST = 5;

/** Models that predict ε, v or x0. */
export const DIFFUSION: Process = {
  levels: trainingLevels,
  boundary(timestep) {
    const scaled = TIME_SCALE * timestep;
    const norm = scaled ** 2 + DATA_SIGMA ** 2;
    return { skip: DATA_SIGMA ** 2 / norm, out: scaled / Math.sqrt(norm) };
  },
  /** min(1/√SNR, 5) for an error of ε, as the embedded pair's recipe has it; 1 in DMD2's. */
  fakeWeight(prediction, level) {
    const snr = (level.alpha / level.sigma) ** 2;
    return WEIGHTINGS.debiased(snr, x0Error(prediction, level), 0) * Math.min(1, MOST * Math.sqrt(snr));
  },
  student({ row }, steps) {
    const own = steps === undefined ? row?.sampling.distilled.timesteps : undefined;
    const count = steps ?? STEPS;
    const even = Array.from({ length: count }, (_, i) => Math.round(((count - i) * TRAINED) / count) - 1);
    return { scheduler: "LCMScheduler", timesteps: [...(own ?? even)] };
  },
};

/** Models of flow matching, x_σ = (1 − σ) x0 + σ ε with the velocity ε − x0 (Lipman et al. 2023, arXiv 2210.02747). */
export const FLOW: Process = {
  levels: (pair, size) => flowLevels(pair, size).reverse(),
  end: { timestep: 0, level: CLEAN },
  // x0 = x − σ v is x itself at σ = 0: the condition of consistency models (Song et al. 2023, arXiv 2303.01469, eq. 5) with the weights 1 and −σ.
  boundary: () => ({ skip: 0, out: 1 }),
  // As in DP-DMD's program for Stable Diffusion 3.5, and in the recipe of the embedded pair of flow matching.
  fakeWeight: () => 1,
  student({ row }, steps) {
    const { timesteps, steps: own = timesteps?.length } = row?.sampling.distilled ?? {};
    return { scheduler: "FlowMatchEulerDiscreteScheduler", steps: steps ?? own ?? STEPS };
  },
};

/** The noise process of a base. */
export const processOf = (pair: Pick<PlanSource, "base">): Process => (isFlow(pair) ? FLOW : DIFFUSION);
