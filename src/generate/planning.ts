/** Creates a plan from a request, the defaults of a named pair and the checkpoint's scheduler config. */
import { RequestError } from "../errors.js";
import { FAMILIES, factsOf } from "../families/index.js";
import type { ImageSize } from "../models/index.js";
import {
  amendForStableDiffusion,
  type DynamicShift,
  evenSigmas,
  type Handoff,
  isTwoSided,
  makePlan,
  methodText,
  type Plan,
  type PlanRequest,
  parseScheduler,
  passesOf,
  type Ratio,
  readsSpacing,
  refusesTimesteps,
  type SamplerConfig,
  type SamplingRequest,
  type SchedulerConfig,
  type SettledRequest,
  type SharedSchedule,
  type SolverSpec,
  type Spacing,
  samplesPerRow,
  settledMethods,
  stepsToLevel,
  stepwiseShift,
  switchScheduler,
  type TimestepSpec,
  takesHandoff,
  traitsOf,
  withChoice,
  withDiversity,
} from "../sampling/index.js";
import { originsOf, withCalibrated } from "./calibrated.js";
import { extentIn, layersOf, modelOf, settingIn } from "./layers.js";
import type { ModelSource, PlanSource } from "./plan-source.js";
import { choiceFor, ownChoice, type SchedulerChoice } from "./scheduler-choice.js";
import type { ModelSettings, Origin, Setting, Settings } from "./settings.js";

/** Configs that were validated: every plan of a model reads the same one. */
const parsed = new WeakMap<ModelSource["scheduler"], SchedulerConfig>();

function parsedScheduler({ scheduler }: ModelSource): SchedulerConfig {
  const config = parsed.get(scheduler) ?? parseScheduler(scheduler.config, scheduler.file);
  parsed.set(scheduler, config);
  return config;
}

function schedulerOf(pair: PlanSource, model: ModelSource, { name, fields }: SchedulerChoice): SchedulerConfig {
  const file = parsedScheduler(model);
  const own = FAMILIES[pair.family].amendsScheduler ? amendForStableDiffusion(file) : file;
  const chosen = name ?? own.className;
  return chosen === own.className && Object.keys(fields).length === 0 ? own : switchScheduler(own, chosen, fields);
}

/** Scheduler settings that a choice leaves to the checkpoint. */
function schedulerSettings(
  pair: PlanSource,
  model: ModelSource,
  config: SchedulerConfig,
): Pick<ModelSettings, "prediction"> & { readonly scheduler: Setting<string>; readonly spacing: Setting<Spacing> } {
  const { settings, className } = config;
  const shared = model !== pair.base && model.scheduler === pair.base.scheduler;
  const { file: name, pair: row } = model.scheduler;
  const file: Origin =
    row === undefined ? { from: shared ? "base" : "checkpoint", file: name } : { from: "pair", pair: row };
  const origin = (key: string): Origin => (key in config.given ? file : { from: "default" });
  return {
    scheduler: { value: className, ...file },
    spacing: { value: settings.timestep_spacing, ...origin("timestep_spacing") },
    prediction: { value: settings.prediction_type, ...origin("prediction_type") },
  };
}

/** Scheduler and settings of a model on its own schedule. */
function samplerOf(
  pair: PlanSource,
  request: SamplingRequest,
  which: "base" | "distilled",
): { readonly scheduler: SchedulerConfig; readonly settings: ModelSettings } {
  const model = modelOf(pair, which);
  const chosen = choiceFor(pair, request, which);
  const scheduler = schedulerOf(pair, model, chosen);
  const layers = layersOf(pair, request, which);
  const file = schedulerSettings(pair, model, scheduler);
  // A spacing that the request asks for has no place beside timesteps.
  const spaced = request.spacing !== undefined || chosen.type !== undefined;
  const extent = extentIn(layers, !spaced && refusesTimesteps(scheduler) === undefined);
  const named = settingIn(layers, "scheduler");
  const eta = settingIn(layers, "eta");
  const settings: ModelSettings = {
    scheduler: named ? { ...named, value: scheduler.className } : file.scheduler,
    ...(chosen.type && { sigmas: option(chosen.type) }),
    ...(readsSpacing(scheduler) &&
      !extent.timesteps && {
        spacing: spaced ? option(scheduler.settings.timestep_spacing) : (settingIn(layers, "spacing") ?? file.spacing),
      }),
    prediction: settingIn(layers, "prediction") ?? file.prediction,
    ...extent,
    guidance: settingIn(layers, "guidance") ?? { value: 0, from: "default" },
    ...guidanceIn(request),
    ...(eta && { eta }),
  };
  return { scheduler, settings };
}

const option = <T>(value: T): Setting<T> => ({ value, from: "option" });
const otherwise = <T>(value: T): Setting<T> => ({ value, from: "default" });

/** Settings that change the guided prediction, or the steps that have guidance. */
const GUIDANCE = ["trueGuidance", "guidanceRescale", "guidanceNormalization", "guidanceTruncation"] as const;
type GuidanceFields = Pick<ModelSettings, (typeof GUIDANCE)[number]>;

const guidanceIn = (request: SamplingRequest): GuidanceFields =>
  Object.fromEntries(
    GUIDANCE.flatMap((key) => {
      const value = request[key];
      return value === undefined ? [] : [[key, option(value)] as const];
    }),
  );

/** Guidance of a model as `makePlan` takes it, with a scale as in uncond + g (cond − uncond). */
function guidanceOf({ family }: PlanSource, settings: GuidanceFields & Pick<ModelSettings, "guidance">) {
  const { guidance, trueGuidance, guidanceRescale, guidanceNormalization: limit, guidanceTruncation } = settings;
  return {
    guidance: guidance.value + (factsOf(family).guidanceOffset ?? 0),
    trueGuidance: trueGuidance?.value,
    guidanceRescale: guidanceRescale?.value,
    guidanceNormalization: limit && limit.value > 0 ? limit.value : undefined,
    guidanceTokens: factsOf(family).guidanceTokens,
    guidanceTruncation: guidanceTruncation?.value,
  };
}

/** What determines a plan: how to sample, and the image size, which some flow schedules depend on. */
export type PlannedRequest = SamplingRequest & { readonly size?: ImageSize | undefined };

/** Creates the plan of a request. Loads no model. @throws RequestError, UnsupportedConfigError */
export function planFor(pair: PlanSource, request: PlannedRequest): Plan {
  const plan = makePlan(planRequestFor(pair, request));
  const methods = settledMethods(request.diversity);
  const varied = withDiversity(plan, methods, {
    embedsGuidance: (model) => modelOf(pair, model).embedsGuidance,
    isLora: pair.distilled ? pair.distilled.isLora : false,
  });
  return withChoice(varied, request);
}

/**
 * Evaluations of a network for one image: two for a step with classifier-free guidance; those of an optimisation before a step, gradients among
 * them; with a choice of seeds, those of dropped seeds too.
 */
export function callsPerImage(pair: PlanSource, plan: Plan): number {
  const samples = samplesPerRow(plan);
  return plan.rows.reduce((n, row, i) => {
    if (row.kind !== "step") return n;
    const sides = isTwoSided(row, pair[row.model]?.embedsGuidance === true) ? 2 : 1;
    return n + sides * passesOf(row) * (samples[i] ?? 1);
  }, 0);
}

/** Settings of the plan of a request, each with its origin. @throws RequestError, UnsupportedConfigError */
export const settingsFor = (pair: PlanSource, request: PlannedRequest): Settings =>
  originsOf(pair, request, resolve(pair, request).settings);

/** Fills in every default of a request for a plan. @throws RequestError, UnsupportedConfigError */
export const planRequestFor = (pair: PlanSource, request: PlannedRequest): PlanRequest =>
  resolve(pair, request).planned;

interface Resolved {
  readonly planned: PlanRequest;
  readonly settings: Settings;
}

function resolve(pair: PlanSource, asked: PlannedRequest): Resolved {
  const request = withCalibrated(pair, asked);
  const mode = request.mode ?? (pair.distilled ? "hybrid" : "base");
  if (mode !== "base" && !pair.distilled) {
    throw new RequestError(`--mode ${mode} needs a distilled model: name one with --distilled, or a --pair`);
  }
  const { skip, diversity = [], choose } = request;
  const run = {
    mode: request.mode ? option(mode) : otherwise(mode),
    ...(skip !== undefined && { skip: option(skip) }),
    ...(choose && { choose: option(`${choose.keep}/${choose.of}`) }),
    ...(diversity.length > 0 && { diversity: option(settledMethods(diversity).map(methodText)) }),
  };
  const which = mode === "base" ? "base" : "distilled";
  const { scheduler, settings } = samplerOf(pair, request, which);
  const sampler = samplerConfig(pair, request, scheduler, settings);
  if (mode === "base") return { planned: { mode, skip, base: sampler }, settings: { ...run, base: settings } };
  if (mode === "distilled") {
    return { planned: { mode, skip, distilled: sampler }, settings: { ...run, distilled: settings } };
  }
  const rows = settings.timesteps?.value.length ?? settings.steps?.value ?? 0;
  const first = switchOf(pair, request, sampler);
  const base = hybridBase(pair, request, rows, sampler);
  const { anchor } = request;
  return {
    planned: { mode, skip, distilled: sampler, switch: first.value, base: base.planned, anchor },
    settings: {
      ...run,
      switch: first,
      ...(anchor && { anchor: option(anchor) }),
      ...base.shared,
      base: base.settings,
      distilled: settings,
    },
  };
}

/** Initial steps of the base, or its rows: as asked for, else the pair's, else by the family's level. */
function switchOf(
  { family, row }: PlanSource,
  { switch: asked, ratio }: SettledRequest,
  sampler: SamplerConfig,
): Setting<number | readonly number[]> {
  if (typeof asked === "object" && "sigma" in asked) return option(stepsToLevel(sampler, asked.sigma));
  if (asked !== undefined) return option(asked);
  if (ratio) return option(ratio.distilled);
  if (row?.switch !== undefined) return { value: row.switch, from: "pair", pair: row.name };
  const { switchLevel } = factsOf(family).sampling;
  return otherwise(switchLevel === undefined ? 1 : Math.max(1, stepsToLevel(sampler, switchLevel)));
}

/** Scheduler and settings as `makePlan` takes them. */
function samplerConfig(
  pair: PlanSource,
  request: PlannedRequest,
  scheduler: SchedulerConfig,
  settings: ModelSettings,
): SamplerConfig {
  const { steps, timesteps, eta } = settings;
  return {
    scheduler,
    ...(timesteps ? { timesteps: timesteps.value } : extentOf(pair, request, scheduler, steps?.value)),
    ...guidanceOf(pair, settings),
    eta: eta?.value,
  };
}

/** Number of steps, or the sigmas that the family's pipeline gives its scheduler for that number; and what moves them for the image size. */
function extentOf(
  pair: PlanSource,
  { size = pair.image?.size }: PlannedRequest,
  scheduler: SchedulerConfig,
  steps: number | undefined,
): TimestepSpec & DynamicShift {
  if (traitsOf(scheduler).levels !== "flow" || steps === undefined) return { steps };
  const { evenSigmas: even } = factsOf(pair.family);
  return { ...(even ? { sigmas: evenSigmas(steps, even) } : { steps }), ...dynamicShift(pair, size, steps) };
}

/** What a dynamic shift of flow sigmas depends on: the image's tokens, in some families the number of steps too. */
export function dynamicShift(
  { family, image }: Pick<PlanSource, "family" | "image">,
  size: ImageSize | undefined,
  steps: number,
): DynamicShift {
  const pixels = image?.pixelsPerToken;
  const tokens = size && pixels && Math.floor(size.width / pixels) * Math.floor(size.height / pixels);
  if (tokens === undefined) return {};
  return factsOf(family).stepwiseShift ? { mu: stepwiseShift(tokens, steps) } : { tokens };
}

/** The base of a hybrid: on the rows of the distilled schedule, or on its own schedule if the request sets any part of one. */
function hybridBase(
  pair: PlanSource,
  request: PlannedRequest,
  rows: number,
  distilled: SamplerConfig,
): {
  readonly planned: SamplerConfig | SharedSchedule;
  readonly settings: ModelSettings;
  /** Settings of the plan as a whole, for a base on the distilled schedule. */
  readonly shared?: Pick<Settings, "handoff">;
} {
  const { baseScheduler, baseSpacing, baseSteps, baseGuidance, ratio, anchor, eta } = request;
  if (ratio && anchor) throw new RequestError("ratio and anchor exclude each other", { field: "anchor" });
  if (ratio && baseSteps !== undefined) throw new RequestError("ratio and base steps exclude each other");
  const asked = ratio ? stepsFor(ratio, rows) : baseSteps;
  const usual = anchor === undefined ? rows : ANCHOR_STEPS;
  const scheduler = schedulerOf(pair, pair.base, ownChoice(pair, request));
  const file = schedulerSettings(pair, pair.base, scheduler);
  const shared: ModelSettings = {
    prediction: file.prediction,
    guidance: baseGuidance === undefined ? usualGuidance(pair) : option(baseGuidance),
    ...guidanceIn(request),
  };
  const guided = guidanceOf(pair, shared);
  if ([baseScheduler, baseSpacing, asked, anchor].every((given) => given === undefined)) {
    const handoff = handoffOf(pair, request, distilled);
    return {
      planned: { ...guided, prediction: scheduler.settings.prediction_type, handoff: handoff.value },
      settings: { scheduler: { value: "shared", from: "distilled" }, ...shared },
      shared: { handoff },
    };
  }
  if (request.handoff !== undefined) {
    throw new RequestError(
      `--handoff ${request.handoff} is a step of the base on the distilled schedule; leave it out, or --base-scheduler, --base-steps, --base-spacing, --ratio and --anchor`,
      { field: "handoff" },
    );
  }
  const steps = asked ?? usual;
  return {
    planned: { ...guided, scheduler, ...extentOf(pair, request, scheduler, steps), eta },
    settings: {
      scheduler: baseScheduler === undefined ? file.scheduler : option(scheduler.className),
      ...(readsSpacing(scheduler) && { spacing: baseSpacing === undefined ? file.spacing : option(baseSpacing) }),
      steps:
        asked !== undefined
          ? option(steps)
          : anchor === undefined
            ? { value: steps, from: "distilled" }
            : otherwise(steps),
      ...shared,
      ...(eta !== undefined && { eta: option(eta) }),
    },
  };
}

/** Guidance of the base's steps in a hybrid: none; that of the model where it is an input of the network, for which 0 is not none. */
const usualGuidance = (pair: PlanSource): Setting<number> =>
  (pair.base.embedsGuidance && factsOf(pair.family).sampling.embedded
    ? settingIn(layersOf(pair, {}, "base"), "guidance")
    : undefined) ?? otherwise(0);

/** Steps of the base's schedule of which an anchor takes the first: those of DP-DMD's teacher. */
const ANCHOR_STEPS = 30;

/** Hand-off of a pair for which none is named. */
const DEFAULT_HANDOFF: Handoff = "schedule";

function handoffOf({ row }: PlanSource, { handoff }: SamplingRequest, distilled: SamplerConfig): Setting<Handoff> {
  if (handoff !== undefined) return option(handoff);
  if (row?.handoff === undefined) return otherwise(DEFAULT_HANDOFF);
  // A pair's hand-off yields to a scheduler of the request whose steps it cannot replace, or whose history it would become part of.
  const { rows } = makePlan({ mode: "distilled", distilled });
  const hasHistory = (solver: SolverSpec) => solver.kind === "linear" && solver.outputs.length > 1;
  const fits = rows.every((row) => row.kind === "step" && takesHandoff(row.solver) && !hasHistory(row.solver));
  return fits ? { value: row.handoff, from: "pair", pair: row.name } : otherwise(DEFAULT_HANDOFF);
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
