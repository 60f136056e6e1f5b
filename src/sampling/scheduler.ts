/** Scheduler configs: validates scheduler_config.json and converts between classes as diffusers' from_config does. */
import { z } from "zod";
import { FileError, RequestError, UnsupportedConfigError } from "../errors.js";
import {
  isScheduler,
  modelKindOf,
  SCHEDULER_CLASSES,
  SCHEDULERS,
  type SchedulerClass,
  type SchedulerTraits,
} from "./scheduler-classes.js";
import { DEFAULTS, FIELDS, type Given, RESPACINGS, type SchedulerSettings } from "./scheduler-fields.js";

/** A validated scheduler config. Keeps the fields of the file, because another class reads them differently. */
export interface SchedulerConfig {
  readonly className: SchedulerClass;
  /** File name for error messages. */
  readonly file: string;
  /** Fields of the file, unvalidated. */
  readonly given: Given;
  readonly settings: SchedulerSettings;
}

/** The traits of a config's class. */
export const traitsOf = (config: SchedulerConfig): SchedulerTraits => SCHEDULER_CLASSES[config.className];

/** Kind of model that a config is for. DPM++ 2M is for flow matching with flow sigmas. */
export const kindOf = ({ className, settings }: SchedulerConfig): ReturnType<typeof modelKindOf> =>
  settings.use_flow_sigmas ? "flow-matching" : modelKindOf(className);

/** True when the timesteps depend on `timestep_spacing`. LCM and TCD select from the timesteps they were distilled on. */
export function readsSpacing(config: SchedulerConfig): boolean {
  const traits = traitsOf(config);
  return (
    "timestep_spacing" in traits.reads &&
    !config.settings.use_flow_sigmas &&
    !("spacing" in traits && traits.spacing === "distilled")
  );
}

/** True where diffusers' latents of the class are x / α: k-diffusion's samplers and EDM. */
export function scalesLatents(config: SchedulerConfig): boolean {
  const traits = traitsOf(config);
  return traits.levels === "edm" || (traits.levels === "sigmas" && traits.spacing === "float");
}

const FILE = z.looseObject({
  _class_name: z.string().optional(),
  _use_default_values: z.array(z.string()).optional(),
});

/**
 * Validates a parsed scheduler_config.json.
 * @throws FileError when it is not an object
 * @throws UnsupportedConfigError naming the class, or the field with an unsupported value
 */
export function parseScheduler(json: unknown, file: string): SchedulerConfig {
  const parsed = FILE.safeParse(json);
  if (!parsed.success)
    throw new FileError(file, "this is not a scheduler config; expected a JSON object with _class_name");
  const className = parsed.data._class_name;
  if (className === undefined) throw new FileError(file, "_class_name is missing; it names the scheduler");
  if (!isScheduler(className)) {
    throw new UnsupportedConfigError({ file, key: "_class_name", actual: className, supported: SCHEDULERS.join(", ") });
  }
  // diffusers lists here the fields that had their default value.
  const defaults = new Set(parsed.data._use_default_values);
  const given = Object.entries(parsed.data).filter(([key]) => !key.startsWith("_") && !defaults.has(key));
  return configOf(className, file, Object.fromEntries(given));
}

/**
 * diffusers' `X.from_config(config, **fields)`: fields that the file lacks take the new class's defaults, not the old
 * one's. With an unchanged class it only sets `fields` (such as timestep_spacing, prediction_type).
 * @throws RequestError when the class is unknown
 * @throws UnsupportedConfigError when the new class reads a field with an unsupported value
 */
export function switchScheduler(config: SchedulerConfig, className: string, fields: Given = {}): SchedulerConfig {
  if (!isScheduler(className)) {
    throw new RequestError(`the scheduler ${className} is not known; supported: ${SCHEDULERS.join(", ")}`);
  }
  const own = kindOf(config);
  const flow = own === "flow-matching" ? flowFields(className, config.given) : null;
  const wanted = flow?.["use_flow_sigmas"] ? own : modelKindOf(className);
  if (wanted !== own) {
    throw new RequestError(
      `${className} is for ${wanted} models; the model's scheduler ${config.className} is for ${own} models`,
    );
  }
  return configOf(className, config.file, { ...config.given, ...flow, ...fields });
}

/** Fields that make a class one for flow matching, with the shift of a config. diffusers has two names for it, and leaves the shift out. */
function flowFields(className: SchedulerClass, given: Given): Given {
  const { reads }: SchedulerTraits = SCHEDULER_CLASSES[className];
  const shift = given["flow_shift"] ?? given["shift"];
  const has = (key: string) => key in reads;
  return {
    ...(has("flow_shift") && { use_flow_sigmas: true, prediction_type: "flow_prediction" }),
    ...(shift !== undefined && { ...(has("flow_shift") && { flow_shift: shift }), ...(has("shift") && { shift }) }),
  };
}

/**
 * Changes that StableDiffusionPipeline (SD 1.x and 2.x, not SDXL) makes to its scheduler config: steps_offset becomes 1,
 * clip_sample false. A later `switchScheduler` reverts them where the file lacks the field, as diffusers does.
 */
export function amendForStableDiffusion(config: SchedulerConfig): SchedulerConfig {
  const amendments = { steps_offset: 1, clip_sample: false };
  const amended = configOf(config.className, config.file, { ...config.given, ...amendments });
  const stillGiven = Object.entries(amended.given).filter(([key]) => key in config.given);
  return { ...amended, given: Object.fromEntries(stillGiven) };
}

function configOf(className: SchedulerClass, file: string, given: Given): SchedulerConfig {
  const traits: SchedulerTraits = SCHEDULER_CLASSES[className];
  const read: Record<string, unknown> = Object.fromEntries(
    Object.entries(traits.reads).map(([key, value]) => [key, key in given ? given[key] : value]),
  );
  for (const [key, values] of Object.entries(traits.refuses)) {
    if (values.includes(read[key])) {
      throw new UnsupportedConfigError({ file, key, actual: read[key], supported: `another value with ${className}` });
    }
  }
  for (const [key, values] of Object.entries({ ...ALIASES, ...traits.aliases })) {
    const value = read[key];
    if (typeof value === "string") read[key] = values[value] ?? value;
  }
  const result = FIELDS.safeParse({ ...DEFAULTS, ...read, ...traits.implies });
  if (result.success) {
    checkRespacing(result.data, file);
    if ("flow_shift" in traits.reads) checkFlow(result.data, file);
    checkAlgorithm(className, result.data, file);
    return { className, file, given, settings: result.data };
  }
  const issue = result.error.issues[0];
  const key = String(issue?.path[0] ?? "config");
  throw new UnsupportedConfigError({ file, key, actual: read[key], supported: issue?.message ?? "another value" });
}

/** Aliases of every class. */
const ALIASES: NonNullable<SchedulerTraits["aliases"]> = { prediction_type: { original_sample: "sample" } };

/** @throws UnsupportedConfigError for combinations that DPM-Solver does not define, as diffusers does */
function checkAlgorithm(className: SchedulerClass, settings: SchedulerSettings, file: string): void {
  const { algorithm_type: algorithm, final_sigmas_type, solver_order } = settings;
  if (!("algorithm_type" in SCHEDULER_CLASSES[className].reads)) return;
  if (!algorithm.endsWith("++") && final_sigmas_type === "zero") {
    const supported = `sigma_min with algorithm_type ${algorithm}`;
    throw new UnsupportedConfigError({ file, key: "final_sigmas_type", actual: final_sigmas_type, supported });
  }
  const edmSde = modelKindOf(className) === "EDM" && algorithm === "sde-dpmsolver++";
  if (solver_order === 3 && (algorithm === "sde-dpmsolver" || edmSde)) {
    const supported = `1, 2 with algorithm_type ${algorithm}`;
    throw new UnsupportedConfigError({ file, key: "solver_order", actual: solver_order, supported });
  }
}

/** @throws UnsupportedConfigError for flow sigmas without a velocity, or a velocity without flow sigmas */
function checkFlow(settings: SchedulerSettings, file: string): void {
  const { use_flow_sigmas: flow, prediction_type: actual } = settings;
  if (flow !== (actual === "flow_prediction")) {
    const supported = flow ? "flow_prediction with use_flow_sigmas" : "another value without use_flow_sigmas";
    throw new UnsupportedConfigError({ file, key: "prediction_type", actual, supported });
  }
  const key = [...RESPACINGS, "use_lu_lambdas" as const].find((name) => settings[name]);
  if (flow && key)
    throw new UnsupportedConfigError({ file, key, actual: true, supported: "false with use_flow_sigmas" });
}

/** @throws UnsupportedConfigError when more than one spacing of sigmas is set, as diffusers does */
function checkRespacing(settings: SchedulerSettings, file: string): void {
  const [first, second] = RESPACINGS.filter((key) => settings[key]);
  if (second === undefined) return;
  throw new UnsupportedConfigError({ file, key: second, actual: true, supported: `false together with ${first}` });
}
