/** Schedulers and default settings of a pair, without its models: together with a request they determine a plan. */
import type { Family } from "../families/index.js";
import type { ImageSize } from "../models/index.js";
import type { Handoff, ModelSampling, SettledRequest } from "../sampling/index.js";

/** Default settings of a named pair. */
export interface PairDefaults {
  readonly name: string;
  /** Size in pixels; null: the model's own. */
  readonly size: ImageSize | null;
  /** Example prompts. */
  readonly prompts: readonly string[];
  /** Number of initial steps run by the base in a hybrid. */
  readonly switch?: number;
  /** Step of the base in a hybrid on one schedule. */
  readonly handoff?: Handoff;
  /** Parameters of the text encoders, where they differ from the family's. */
  readonly textParameters?: number;
  readonly sampling: { readonly base: SamplingDefaults; readonly distilled: SamplingDefaults };
}

/** Default sampling settings of one model. */
export type SamplingDefaults = ModelSampling & {
  readonly guidance: number;
  /** Scale of a distilled model that is a LoRA; default 1. */
  readonly loraScale?: number;
};

/** Setting of a hybrid that a calibration found best for a pair. */
export interface Calibrated {
  readonly sampling: SettledRequest;
  /** Day of the calibration, and its result in a sentence. */
  readonly on: string;
  readonly about: string;
}

/** Schedulers and default settings of a pair, without its models: together with a request they determine a plan. */
export interface PlanSource {
  readonly row: PairDefaults | null;
  readonly family: Family;
  /** Size of the image that a request without a size makes, and the side of an image token in pixels: flow schedules depend on their number. */
  readonly image?: { readonly size: ImageSize; readonly pixelsPerToken: number };
  readonly base: ModelSource;
  readonly distilled: ModelSource | null;
  /** Default hand-off by calibration; null or undefined without one. */
  readonly calibrated?: Calibrated | null;
  /** Names of pairs to suggest for a distilled model whose schedule is not known. */
  readonly suggestions?: readonly string[];
}

/** Reference and scheduler of one model. */
export interface ModelSource {
  readonly ref: string;
  /** Path of a model that is named in a model folder. */
  readonly path?: string;
  readonly scheduler: {
    readonly file: string;
    readonly config: Readonly<Record<string, unknown>>;
    /** Name of the pair whose row has the config; undefined where it was read from a file. */
    readonly pair?: string;
  };
  /** The guidance scale is an input of the network. */
  readonly embedsGuidance: boolean;
  /** The checkpoint says that it is distilled: few steps, and no guidance. */
  readonly isDistilled?: boolean;
  /** True for a LoRA on the base; undefined for a named pair that has not been opened. */
  readonly isLora?: boolean;
  /** The named pair whose model this is, where it was recognised. */
  readonly known?: KnownModel | null;
}

/** A model that was recognised as that of a named pair. */
export interface KnownModel {
  /** Name of the pair. */
  readonly pair: string;
  /** The property that it was recognised by, such as "file name", and the part that matches. */
  readonly by: string;
  readonly match: string;
  /** Sampling settings of the model's author. */
  readonly sampling: SamplingDefaults;
  /** Scheduler config of the model's author, for a file without one; null where it is the base's. */
  readonly scheduler?: Readonly<Record<string, unknown>> | null;
}
