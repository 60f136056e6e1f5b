/** The scheduler that a request and a pair choose for a model: its class and the changed fields, under any of its names. */
import {
  findScheduler,
  kindOf,
  type Prediction,
  parseScheduler,
  type SamplingRequest,
  type ScheduleType,
  type Spacing,
  scheduleFields,
} from "../sampling/index.js";
import { layersOf, modelOf, settingIn } from "./layers.js";
import type { ModelSource, PlanSource } from "./plan-source.js";

/** Scheduler of a model: a class, built from the checkpoint's config like diffusers' from_config, and the changed fields. */
export interface SchedulerChoice {
  /** Class name; undefined: the checkpoint's own. */
  readonly name?: string | undefined;
  readonly fields: Readonly<Record<string, unknown>>;
  /** Schedule type that the request asks for, by itself or at the end of a name: a pair's spacing and timesteps yield to it. */
  readonly type: ScheduleType | undefined;
}

interface Changes {
  readonly spacing?: Spacing | undefined;
  readonly prediction?: Prediction | undefined;
  readonly sigmas?: ScheduleType | undefined;
}

/** Looks up a scheduler under any of its names. Fields of the name yield to the changes. @throws RequestError */
function choice({ scheduler }: ModelSource, name: string | undefined, changes: Changes): SchedulerChoice {
  const own = () => parseScheduler(scheduler.config, scheduler.file);
  const found = name === undefined ? undefined : findScheduler(name, kindOf(own()));
  const type = changes.sigmas ?? found?.type;
  return {
    name: found?.className,
    fields: {
      ...found?.fields,
      ...(type && scheduleFields(found?.className ?? own().className, type)),
      ...(changes.spacing && { timestep_spacing: changes.spacing }),
      ...(changes.prediction && { prediction_type: changes.prediction }),
    },
    type,
  };
}

/** Scheduler of a model under a request, with the pair's defaults. */
export function choiceFor(pair: PlanSource, request: SamplingRequest, which: "base" | "distilled"): SchedulerChoice {
  const layers = layersOf(pair, request, which);
  const model = modelOf(pair, which);
  const name = settingIn(layers, "scheduler")?.value;
  const prediction = settingIn(layers, "prediction")?.value;
  const asked = choice(model, name, { ...request, prediction });
  if (asked.type) return asked;
  const [spacing, sigmas] = [settingIn(layers, "spacing")?.value, settingIn(layers, "sigmas")?.value];
  return { ...choice(model, name, { spacing, sigmas, prediction }), type: undefined };
}

/** Scheduler of a base model that runs its own schedule in a hybrid. */
export const ownChoice = ({ base }: PlanSource, { baseScheduler, baseSpacing }: SamplingRequest): SchedulerChoice =>
  choice(base, baseScheduler, { spacing: baseSpacing });
