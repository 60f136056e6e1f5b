/** How a pair is sampled: what a request, a named pair's row and the checkpoint's own scheduler make of each other, as a plan. */

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
  type SamplerConfig,
  type SamplingRequest,
  type SchedulerConfig,
  type Spacing,
  switchScheduler,
} from "../sampling/index.js";

/** A named pair's own settings. */
export interface PairDefaults {
  /** Size in pixels; null: the model's own. */
  readonly size: ImageSize | null;
  /** Prompts for a first look. */
  readonly prompts: readonly string[];
  readonly sampling: { readonly base: SamplingDefaults; readonly distilled: SamplingDefaults };
}

/** How a named pair samples one of its models. */
export type SamplingDefaults = ModelSampling & { readonly guidance: number };

/** The schedulers of a pair and how it is sampled, without its models: everything a plan follows from. */
export interface PlanSource {
  readonly row: PairDefaults | null;
  readonly family: Family;
  readonly base: Sampled;
  readonly distilled: Sampled | null;
}

/** One model, as far as sampling goes. */
export interface Sampled {
  readonly ref: string;
  /** Where a name in a tree of models was found. */
  readonly path?: string;
  readonly scheduler: { readonly file: string; readonly config: Readonly<Record<string, unknown>> };
  /** Guidance is an input of the network. */
  readonly embedsGuidance: boolean;
  /** Whether it is a LoRA on the base, where that is known: a row that nobody has opened tells by its name. */
  readonly isLora?: boolean;
}

/** Few-step defaults where neither the request nor the pair says anything. */
const FEW_STEPS = { steps: 4, guidance: 0 } as const;
/** The default of diffusers' Latent Consistency pipeline, for guidance that is an input of the network. */
const EMBEDDED_GUIDANCE = { steps: 4, guidance: 8.5 } as const;

/** Scheduler of a model: a class made from the checkpoint's config as diffusers' from_config does, and the changed fields. */
export interface SchedulerChoice {
  /** Undefined: the checkpoint's own. */
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

/** What the request and the pair's row make of a model's scheduler. */
export function choiceFor(pair: PlanSource, request: SamplingRequest, which: "base" | "distilled"): SchedulerChoice {
  const defaults = defaultsOf(pair, which);
  return choice(request.scheduler ?? defaults.scheduler, { ...defaults, ...request });
}

/** Scheduler of a base model with its own schedule in a hybrid. */
export const ownChoice = ({ baseScheduler, baseSpacing }: SamplingRequest): SchedulerChoice =>
  choice(baseScheduler, baseSpacing ? { spacing: baseSpacing } : {});

function schedulerOf(pair: PlanSource, model: Sampled, { name, fields }: SchedulerChoice): SchedulerConfig {
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

/** The rows a run will take. Loads nothing. @throws RequestError, UnsupportedConfigError */
export const planFor = (pair: PlanSource, request: SamplingRequest): Plan => makePlan(planRequestFor(pair, request));

/** What a plan is made from, with every default filled in. @throws RequestError, UnsupportedConfigError */
export function planRequestFor(pair: PlanSource, request: SamplingRequest): PlanRequest {
  const mode = request.mode ?? (pair.distilled ? "hybrid" : "base");
  if (mode !== "base" && !pair.distilled) {
    throw new RequestError(`--mode ${mode} needs a distilled model: name one with --distilled, or a --pair`);
  }
  const samplerOf = (which: "base" | "distilled"): SamplerConfig => {
    const defaults = defaultsOf(pair, which);
    const timesteps = request.timesteps ?? (request.steps === undefined ? defaults.timesteps : undefined);
    const model = (which === "base" ? pair.base : pair.distilled) ?? pair.base;
    return {
      scheduler: schedulerOf(pair, model, choiceFor(pair, request, which)),
      ...(timesteps ? { timesteps } : { steps: request.steps ?? defaults.steps ?? FEW_STEPS.steps }),
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
  if (ratio && request.baseSteps !== undefined) throw new RequestError("a ratio and base steps were given; give one");
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

/** Steps of a whole base schedule of which a replace b of `rows`. @throws RequestError when that is no whole number, or nothing is left */
function stepsFor({ base, distilled }: Ratio, rows: number): number {
  const asked = `${base}:${distilled} base steps for distilled rows`;
  for (const n of [base, distilled]) {
    if (!Number.isInteger(n) || n < 1) throw new RequestError(`${asked}: expected two whole numbers, at least 1`);
  }
  if (distilled >= rows) {
    throw new RequestError(`${asked} leaves no row of ${rows} for the distilled model; replace at most ${rows - 1}`);
  }
  const steps = (rows * base) / distilled;
  if (Number.isInteger(steps)) return steps;
  throw new RequestError(`${asked}: ${rows} rows would be ${steps.toFixed(2)} base steps; expected a whole number`);
}
