/**
 * Names of samplers as diffusers, ComfyUI and A1111 have them, and what each means here: a scheduler class and fields of its
 * config. One table; docs/samplers.md shows it.
 */
import { RequestError } from "../errors.js";
import { nameKey, SCHEDULE_TYPES, type ScheduleType } from "./schedule-types.js";
import type { SchedulerConfig } from "./scheduler.js";
import { type modelKindOf, SCHEDULER_CLASSES, SCHEDULERS, type SchedulerClass } from "./scheduler-classes.js";
import { type Given, RESPACINGS } from "./scheduler-fields.js";

/** A sampler under its names elsewhere. */
export interface SamplerName {
  readonly scheduler: SchedulerClass;
  /** Fields that make the class this sampler. */
  readonly fields?: Given;
  /** Class for flow-matching models, and for models in the EDM formulation. */
  readonly flow?: SchedulerClass;
  readonly edm?: SchedulerClass;
  readonly comfy?: readonly string[];
  readonly a1111?: readonly string[];
}

const ODE = { algorithm_type: "dpmsolver++", solver_order: 2 };
const SDE = { algorithm_type: "sde-dpmsolver++", solver_order: 2 };
const MIDPOINT = { solver_type: "midpoint" };

export const SAMPLERS: readonly SamplerName[] = [
  {
    scheduler: "EulerDiscreteScheduler",
    flow: "FlowMatchEulerDiscreteScheduler",
    edm: "EDMEulerScheduler",
    comfy: ["euler"],
    a1111: ["Euler"],
  },
  {
    scheduler: "EulerAncestralDiscreteScheduler",
    comfy: ["euler_ancestral"],
    a1111: ["Euler a"],
  },
  { scheduler: "HeunDiscreteScheduler", comfy: ["heun"], a1111: ["Heun"] },
  { scheduler: "KDPM2DiscreteScheduler", comfy: ["dpm_2"], a1111: ["DPM2"] },
  { scheduler: "KDPM2AncestralDiscreteScheduler", comfy: ["dpm_2_ancestral"], a1111: ["DPM2 a"] },
  { scheduler: "LMSDiscreteScheduler", comfy: ["lms"], a1111: ["LMS"] },
  {
    scheduler: "DPMSolverMultistepScheduler",
    fields: { ...ODE, ...MIDPOINT },
    edm: "EDMDPMSolverMultistepScheduler",
    comfy: ["dpmpp_2m"],
    a1111: ["DPM++ 2M"],
  },
  {
    scheduler: "DPMSolverMultistepScheduler",
    fields: { ...SDE, ...MIDPOINT },
    edm: "EDMDPMSolverMultistepScheduler",
    comfy: ["dpmpp_2m_sde", "dpmpp_2m_sde_gpu"],
    a1111: ["DPM++ 2M SDE"],
  },
  {
    scheduler: "DPMSolverMultistepScheduler",
    fields: { ...SDE, solver_type: "heun" },
    edm: "EDMDPMSolverMultistepScheduler",
    comfy: ["dpmpp_2m_sde_heun", "dpmpp_2m_sde_heun_gpu"],
    a1111: ["DPM++ 2M SDE Heun"],
  },
  { scheduler: "DPMSolverSDEScheduler", comfy: ["dpmpp_sde", "dpmpp_sde_gpu"], a1111: ["DPM++ SDE"] },
  { scheduler: "DPMSolverSinglestepScheduler" },
  { scheduler: "UniPCMultistepScheduler", comfy: ["uni_pc", "uni_pc_bh2"], a1111: ["UniPC"] },
  { scheduler: "DEISMultistepScheduler", comfy: ["deis"], a1111: ["DEIS"] },
  { scheduler: "DDIMScheduler", comfy: ["ddim"], a1111: ["DDIM"] },
  { scheduler: "DDPMScheduler", comfy: ["ddpm"] },
  { scheduler: "PNDMScheduler", a1111: ["PLMS"] },
  { scheduler: "LCMScheduler", comfy: ["lcm"], a1111: ["LCM"] },
  { scheduler: "TCDScheduler" },
  { scheduler: "EDMEulerScheduler" },
  { scheduler: "EDMDPMSolverMultistepScheduler" },
  { scheduler: "FlowMatchEulerDiscreteScheduler" },
  { scheduler: "SCMScheduler" },
];

/** Samplers of ComfyUI and A1111 that no scheduler of diffusers equals, and the nearest that is here. */
export const WITHOUT_EQUIVALENT: Readonly<Record<string, string>> = {
  dpmpp_2s_ancestral: "dpmpp_sde",
  "DPM++ 2S a": "dpmpp_sde",
  dpmpp_3m_sde: "dpmpp_2m_sde",
  dpmpp_3m_sde_gpu: "dpmpp_2m_sde",
  "DPM++ 3M SDE": "dpmpp_2m_sde",
  dpm_fast: "dpmpp_2m",
  dpm_adaptive: "dpmpp_2m",
  Restart: "heun",
  heunpp2: "heun",
  ipndm: "deis",
  ipndm_v: "deis",
  res_multistep: "dpmpp_2m",
  gradient_estimation: "euler",
  er_sde: "dpmpp_2m_sde",
  seeds_2: "dpmpp_sde",
  seeds_3: "dpmpp_sde",
  sa_solver: "dpmpp_2m_sde",
  euler_cfg_pp: "euler",
  euler_ancestral_cfg_pp: "euler_ancestral",
  dpmpp_2m_cfg_pp: "dpmpp_2m",
};

/** What a name means. */
export interface FoundScheduler {
  readonly className: SchedulerClass;
  readonly fields: Given;
  /** Schedule type at the end of the name: "DPM++ 2M Karras". */
  readonly type: ScheduleType | undefined;
}

const namesOf = ({ comfy = [], a1111 = [] }: SamplerName): readonly string[] => [...comfy, ...a1111];
const shortOf = (className: string): string => className.replace(/Scheduler$/, "");

const CLASS_OF: ReadonlyMap<string, SchedulerClass> = new Map(
  SCHEDULERS.flatMap((name) => [[nameKey(name), name] as const, [nameKey(shortOf(name)), name] as const]),
);
const SAMPLER_OF: ReadonlyMap<string, SamplerName> = new Map([
  ...SAMPLERS.flatMap((sampler) => namesOf(sampler).map((name) => [nameKey(name), sampler] as const)),
  // A variant that has the class, but fields of its own.
  [nameKey("uni_pc_bh2"), { scheduler: "UniPCMultistepScheduler", fields: { solver_type: "bh2" } }],
]);
const TYPE_OF = Object.keys(SCHEDULE_TYPES).map((type) => [nameKey(type), type as ScheduleType] as const);

/** The sampler that a scheduler is: its class, with the fields that the sampler needs. */
function samplerOf({ className, settings }: SchedulerConfig): SamplerName | undefined {
  const values: Readonly<Record<string, unknown>> = settings;
  return SAMPLERS.find(
    ({ scheduler, fields = {} }) =>
      scheduler === className && Object.entries(fields).every(([name, value]) => values[name] === value),
  );
}

/** ComfyUI's name of a scheduler's sampler; null where it has none. */
export const comfyName = (scheduler: SchedulerConfig): string | null => samplerOf(scheduler)?.comfy?.[0] ?? null;

/**
 * Sampler and schedule type of a scheduler under A1111's names. The sampler is null where A1111 has none; the type is undefined where
 * timesteps are not spaced anew.
 */
export function a1111Names(scheduler: SchedulerConfig): { sampler: string | null; type: string | undefined } {
  const type = RESPACINGS.find((name) => scheduler.settings[name])?.replace(/^use_|_sigmas$/g, "");
  return {
    sampler: samplerOf(scheduler)?.a1111?.[0] ?? null,
    type: type && type[0]?.toUpperCase() + type.slice(1),
  };
}

/**
 * The scheduler of a name: a class of diffusers with or without "Scheduler", or a sampler of ComfyUI or A1111, with a schedule
 * type at its end or without.
 * @param model kind of the model: some samplers have a class for each kind
 * @throws RequestError for a name that has no equivalent, or is unknown, with the nearest names
 */
export function findScheduler(name: string, model: ReturnType<typeof modelKindOf>): FoundScheduler {
  const key = nameKey(name).replace(/^k(?=euler|dpm|lms|heun)(?!dpm2(ancestral)?discrete)/, "");
  const whole = lookUp(key, model);
  if (whole) return { ...whole, type: undefined };
  for (const [suffix, type] of TYPE_OF) {
    const found = key.endsWith(suffix) ? lookUp(key.slice(0, -suffix.length), model) : undefined;
    if (found) return { ...found, type };
  }
  const other = Object.entries(WITHOUT_EQUIVALENT).find(([known]) => key.startsWith(nameKey(known)));
  if (other) {
    throw new RequestError(`the sampler ${name} has no equivalent in diffusers; the nearest here is ${other[1]}`);
  }
  const names = [...SAMPLERS.flatMap(namesOf), ...SCHEDULERS.map(shortOf)];
  const nearest = names
    .map((known) => ({ known, distance: editDistance(key, nameKey(known)) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 3);
  throw new RequestError(
    `the scheduler ${name} is not known; the nearest are ${nearest.map(({ known }) => known).join(", ")} (docs/samplers.md has all)`,
  );
}

function lookUp(key: string, model: ReturnType<typeof modelKindOf>): Omit<FoundScheduler, "type"> | undefined {
  const className = CLASS_OF.get(key);
  if (className) return { className, fields: {} };
  const sampler = SAMPLER_OF.get(key);
  if (!sampler) return undefined;
  const { scheduler, flow, edm, fields = {} } = sampler;
  const own = model === "flow-matching" ? flow : model === "EDM" ? edm : scheduler;
  return { className: own ?? scheduler, fields };
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (const [i, x] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, y] of [...b].entries()) {
      next.push(Math.min((row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1, (row[j] ?? 0) + (x === y ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/**
 * Fields of the config that give a schedule type.
 * @throws RequestError where the class has no such schedule
 */
export function scheduleFields(className: SchedulerClass, type: ScheduleType): Given {
  const traits = SCHEDULER_CLASSES[className];
  const { fields, needs, nearest } = SCHEDULE_TYPES[type];
  const spacing = "spacing" in traits ? traits.spacing : "none";
  if (!(needs.field in traits.reads) || !needs.spacings.includes(spacing)) {
    const instead = nearest && spacing === "extra" ? `; the nearest is ${nearest}` : "";
    throw new RequestError(`${className} has no schedule ${type} in diffusers${instead}`);
  }
  return Object.fromEntries(Object.entries(fields).filter(([key]) => key in traits.reads));
}
