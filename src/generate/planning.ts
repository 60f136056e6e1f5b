/** Creates a plan from a request, the defaults of a named pair and the checkpoint's scheduler config. */

import { RequestError } from "../errors.js";
import { FAMILIES, type Family } from "../families/index.js";
import type { ImageSize } from "../models/index.js";
import {
  amendForStableDiffusion,
  type ModelSampling,
  makePlan,
  type Plan,
  type PlanRequest,
  type Prediction,
  parseScheduler,
  type Ratio,
  refusesTimesteps,
  type SamplerConfig,
  type SamplingRequest,
  type SchedulerConfig,
  type Spacing,
  switchScheduler,
} from "../sampling/index.js";

/** Default settings of a named pair. */
export interface PairDefaults {
  /** Size in pixels; null: the model's own. */
  readonly size: ImageSize | null;
  /** Example prompts. */
  readonly prompts: readonly string[];
  readonly sampling: { readonly base: SamplingDefaults; readonly distilled: SamplingDefaults };
}

/** Default sampling settings of one model. */
export type SamplingDefaults = ModelSampling & { readonly guidance: number };

/** Schedulers and default settings of a pair, without its models: together with a request they determine a plan. */
export interface PlanSource {
  readonly row: PairDefaults | null;
  readonly family: Family;
  readonly base: ModelSource;
  readonly distilled: ModelSource | null;
}

/** Reference and scheduler of one model. */
export interface ModelSource {
  readonly ref: string;
  /** Path of a model that is named in a model folder. */
  readonly path?: string;
  readonly scheduler: { readonly file: string; readonly config: Readonly<Record<string, unknown>> };
  /** The guidance scale is an input of the network. */
  readonly embedsGuidance: boolean;
  /** True for a LoRA on the base; undefined for a named pair that has not been opened. */
  readonly isLora?: boolean;
}

/** Defaults of a distilled model without settings of its own. */
const FEW_STEPS = { steps: 4, guidance: 0 } as const;
/** Defaults of diffusers' LatentConsistencyModelPipeline, for networks that take the guidance scale as an input. */
const EMBEDDED_GUIDANCE = { steps: 4, guidance: 8.5 } as const;

/** Scheduler of a model: a class, built from the checkpoint's config like diffusers' from_config, and the changed fields. */
export interface SchedulerChoice {
  /** Class name; undefined: the checkpoint's own. */
  readonly name?: string | undefined;
  readonly fields: { readonly timestep_spacing?: Spacing; readonly prediction_type?: Prediction };
}

const choice = (
  name: string | undefined,
  changes: Pick<SamplingRequest, "spacing" | "prediction">,
): SchedulerChoice => ({
  name,
  fields: {
    ...(changes.spacing && { timestep_spacing: changes.spacing }),
    ...(changes.prediction && { prediction_type: changes.prediction }),
  },
});

/** Scheduler of a model under a request, with the pair's defaults. */
export function choiceFor(pair: PlanSource, request: SamplingRequest, which: "base" | "distilled"): SchedulerChoice {
  const defaults = defaultsOf(pair, which);
  return choice(request.scheduler ?? defaults.scheduler, { ...defaults, ...request });
}

/** Scheduler of a base model that runs its own schedule in a hybrid. */
export const ownChoice = ({ baseScheduler, baseSpacing }: SamplingRequest): SchedulerChoice =>
  choice(baseScheduler, baseSpacing ? { spacing: baseSpacing } : {});

function schedulerOf(pair: PlanSource, model: ModelSource, { name, fields }: SchedulerChoice): SchedulerConfig {
  const file = parseScheduler(model.scheduler.config, model.scheduler.file);
  const own = FAMILIES[pair.family].amendsScheduler ? amendForStableDiffusion(file) : file;
  const chosen = name ?? own.className;
  return chosen === own.className && Object.keys(fields).length === 0 ? own : switchScheduler(own, chosen, fields);
}

function defaultsOf(pair: PlanSource, which: "base" | "distilled"): SamplingDefaults {
  const row = pair.row?.sampling[which];
  if (row) return row;
  const model = which === "base" ? pair.base : pair.distilled;
  if (model?.embedsGuidance) return EMBEDDED_GUIDANCE;
  return which === "base" ? FAMILIES[pair.family].sampling : FEW_STEPS;
}

/** Creates the plan of a request. Loads no model. @throws RequestError, UnsupportedConfigError */
export const planFor = (pair: PlanSource, request: SamplingRequest): Plan => makePlan(planRequestFor(pair, request));

/** Fills in every default of a request for a plan. @throws RequestError, UnsupportedConfigError */
export function planRequestFor(pair: PlanSource, request: SamplingRequest): PlanRequest {
  const mode = request.mode ?? (pair.distilled ? "hybrid" : "base");
  if (mode !== "base" && !pair.distilled) {
    throw new RequestError(`--mode ${mode} needs a distilled model: name one with --distilled, or a --pair`);
  }
  const samplerOf = (which: "base" | "distilled"): SamplerConfig => {
    const defaults = defaultsOf(pair, which);
    const model = (which === "base" ? pair.base : pair.distilled) ?? pair.base;
    const scheduler = schedulerOf(pair, model, choiceFor(pair, request, which));
    // The pair's timesteps yield to a scheduler that takes none; their number stays.
    const yields = request.steps !== undefined || refusesTimesteps(scheduler) !== undefined;
    const timesteps = request.timesteps ?? (yields ? undefined : defaults.timesteps);
    const steps = request.steps ?? defaults.steps ?? defaults.timesteps?.length ?? FEW_STEPS.steps;
    return {
      scheduler,
      ...(timesteps ? { timesteps } : { steps }),
      guidance: request.guidance ?? defaults.guidance,
      guidanceRescale: request.guidanceRescale,
      eta: request.eta ?? defaults.eta,
    };
  };
  const { skip } = request;
  if (mode === "base") return { mode, skip, base: samplerOf(mode) };
  if (mode === "distilled") return { mode, skip, distilled: samplerOf(mode) };
  const distilled = samplerOf("distilled");
  const asked = { guidance: request.baseGuidance ?? 0, guidanceRescale: request.guidanceRescale };
  const { baseScheduler, baseSpacing, ratio } = request;
  const rows = distilled.steps ?? distilled.timesteps?.length ?? FEW_STEPS.steps;
  if (ratio && request.baseSteps !== undefined) throw new RequestError("ratio and base steps exclude each other");
  const steps = ratio ? stepsFor(ratio, rows) : request.baseSteps;
  const own = [baseScheduler, baseSpacing, steps].some((given) => given !== undefined);
  const scheduler = schedulerOf(pair, pair.base, ownChoice(request));
  return {
    mode,
    skip,
    distilled,
    switch: request.switch ?? ratio?.distilled ?? 1,
    base: own
      ? { ...asked, scheduler, steps: steps ?? rows, eta: request.eta }
      : { ...asked, prediction: scheduler.settings.prediction_type },
  };
}

/** Steps of the full base schedule in which `base` steps replace `distilled` of `rows`. @throws RequestError if it is not an integer, or no row is left */
function stepsFor({ base, distilled }: Ratio, rows: number): number {
  const asked = `ratio ${base}:${distilled}`;
  for (const n of [base, distilled]) {
    if (!Number.isInteger(n) || n < 1) throw new RequestError(`${asked}: expected two integers, at least 1`);
  }
  if (distilled >= rows) {
    throw new RequestError(`${asked} leaves no row of ${rows} for the distilled model; replace at most ${rows - 1}`);
  }
  const steps = (rows * base) / distilled;
  if (Number.isInteger(steps)) return steps;
  throw new RequestError(`${asked}: ${rows} rows would be ${steps.toFixed(2)} base steps; expected an integer`);
}
