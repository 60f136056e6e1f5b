/** Settings of a plan, each with its origin: the request, a named pair, a checkpoint, or a default. Makes no plan. */
import type { Handoff, Mode, PlanTable, Prediction, ScheduleType, Spacing } from "../sampling/index.js";

/** Where a setting came from. */
export type Origin =
  /** A field of the request. */
  | { readonly from: "option" }
  /** The row of the pair that the request names. */
  | { readonly from: "pair"; readonly pair: string }
  /** The row of the pair whose model this was recognised as: by which property of the model, and its value. */
  | { readonly from: "recognised"; readonly pair: string; readonly by: string; readonly match: string }
  /** The model's own scheduler config. */
  | { readonly from: "checkpoint"; readonly file: string }
  /** The base's scheduler config, for a distilled model that has none: a guess, unless a pair says otherwise. */
  | { readonly from: "base"; readonly file: string }
  /** A calibration of this pair on this machine. */
  | { readonly from: "calibrated"; readonly on: string }
  /** The distilled model's schedule, for a base that shares it. */
  | { readonly from: "distilled" }
  | { readonly from: "default" };

/** A setting and its origin. */
export type Setting<T> = Origin & { readonly value: T };

/** Settings of one model of a plan. A base on the distilled model's schedule has no schedule of its own. */
export interface ModelSettings {
  readonly scheduler?: Setting<string>;
  readonly sigmas?: Setting<ScheduleType>;
  readonly spacing?: Setting<Spacing>;
  readonly prediction: Setting<Prediction>;
  readonly timesteps?: Setting<readonly number[]>;
  readonly steps?: Setting<number>;
  readonly guidance: Setting<number>;
  readonly trueGuidance?: Setting<number>;
  readonly guidanceRescale?: Setting<number>;
  readonly guidanceNormalization?: Setting<number>;
  readonly guidanceTruncation?: Setting<number>;
  readonly eta?: Setting<number>;
}

/** Settings of a plan, as `plan --json` and run.json list them. */
export interface Settings {
  readonly mode: Setting<Mode>;
  readonly skip?: Setting<number>;
  /** Diversity methods, as the command line takes them. */
  readonly diversity?: Setting<readonly string[]>;
  /** Choice of seeds: those that are kept, and those to choose from. */
  readonly choose?: Setting<string>;
  /** Hybrid: number of initial steps run by the base, or its rows. */
  readonly switch?: Setting<number | readonly number[]>;
  /** Hybrid on one schedule: what the base does with its noise. */
  readonly handoff?: Setting<Handoff>;
  /** Hybrid: steps of the base before the jump along their average velocity. */
  readonly anchor?: Setting<number>;
  readonly base?: ModelSettings;
  readonly distilled?: ModelSettings;
}

const MODELS = ["distilled", "base"] as const;

/** Table of settings: one row for each, with its value and its origin in words. */
export function describeSettings({ base, distilled, ...run }: Settings): PlanTable {
  const models = { base, distilled };
  const named = [
    ...Object.entries(run).map(([name, setting]) => [name, setting] as const),
    ...MODELS.flatMap((model) =>
      Object.entries(models[model] ?? {}).map(([name, setting]) => [`${model}: ${name}`, setting] as const),
    ),
  ];
  return {
    columns: ["setting", "value", "from"],
    rows: named.flatMap(([name, setting]: readonly [string, Setting<unknown> | undefined]) =>
      setting ? [[name, valueIn(setting), originIn(setting)]] : [],
    ),
  };
}

const valueIn = ({ value }: Setting<unknown>): string => (Array.isArray(value) ? value.join(" ") : String(value));

const ORIGINS: { readonly [K in Origin["from"]]: (origin: Origin & { readonly from: K }) => string } = {
  option: () => "option",
  pair: ({ pair }) => `pair ${pair}`,
  recognised: ({ pair, by, match }) => `pair ${pair}, recognised by ${by}: ${match}`,
  checkpoint: ({ file }) => `checkpoint: ${file}`,
  base: ({ file }) => `the base's: ${file}`,
  calibrated: ({ on }) => `calibration of ${on} (calibrate --forget removes it)`,
  distilled: () => "the distilled model's schedule",
  default: () => "default",
};

const originIn = (origin: Origin): string => (ORIGINS[origin.from] as (origin: Origin) => string)(origin);
