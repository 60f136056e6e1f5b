/** The diversity methods by name, their schema in a request, and their form on the command line: NAME:setting=value,… */
import { z } from "zod";
import { RequestError } from "../../errors.js";
import { nearest, type ReadonlyData } from "../../schema/index.js";
import { ANTITHETIC, antitheticSchema } from "./antithetic.js";
import { APG, apgSchema } from "./apg.js";
import { CADS, cadsSchema } from "./cads.js";
import { CONTRASTIVE_NOISE, contrastiveNoiseSchema } from "./contrastive-noise.js";
import { DPP, dppSchema } from "./dpp.js";
import { EMBEDDING_NOISE, embeddingNoiseSchema } from "./embedding-noise.js";
import { FARTHEST, farthestSchema } from "./farthest.js";
import type { Hook } from "./hook.js";
import { INTERVAL, intervalSchema } from "./interval.js";
import { LATE_GUIDANCE, lateGuidanceSchema } from "./late-guidance.js";
import { LOW_FREQUENCY, lowFrequencySchema } from "./low-frequency.js";
import type { Change, Method, Place } from "./method.js";
import { PARTIAL_LORA, partialLoraSchema } from "./partial-lora.js";
import { PARTICLES, particlesSchema } from "./particles.js";
import { RKE, rkeSchema } from "./rke.js";
import { SIBLINGS, siblingsSchema } from "./siblings.js";
import { SPREAD, spreadSchema } from "./spread.js";

const SCHEMAS = [
  cadsSchema,
  embeddingNoiseSchema,
  intervalSchema,
  lateGuidanceSchema,
  apgSchema,
  particlesSchema,
  dppSchema,
  rkeSchema,
  siblingsSchema,
  lowFrequencySchema,
  spreadSchema,
  antitheticSchema,
  farthestSchema,
  contrastiveNoiseSchema,
  partialLoraSchema,
] as const;

/** A diversity method with its settings. */
export const diversitySchema = z.discriminatedUnion("method", SCHEMAS);
export type DiversityMethod = z.output<typeof diversitySchema>;
export type MethodName = DiversityMethod["method"];
type Settings = { readonly [D in DiversityMethod as D["method"]]: D };

/** All methods, in the order in which they are listed and applied. */
export const METHODS: { readonly [N in MethodName]: Method<Settings[N], Hook> } = {
  cads: CADS,
  "embedding-noise": EMBEDDING_NOISE,
  interval: INTERVAL,
  "late-guidance": LATE_GUIDANCE,
  apg: APG,
  particles: PARTICLES,
  dpp: DPP,
  rke: RKE,
  siblings: SIBLINGS,
  "low-frequency": LOW_FREQUENCY,
  spread: SPREAD,
  antithetic: ANTITHETIC,
  farthest: FARTHEST,
  "contrastive-noise": CONTRASTIVE_NOISE,
  "partial-lora": PARTIAL_LORA,
};

export const METHOD_NAMES: readonly MethodName[] = SCHEMAS.map((schema) => schema.shape.method.value);

/** A setting of a method, for people. */
export interface SettingFacts {
  readonly name: string;
  readonly about: string;
  readonly default: string | number;
  /** Allowed values in words: "0 to 1", "uniform or normal". */
  readonly values: string;
}

const described = z.object({
  description: z.string(),
  default: z.union([z.string(), z.number()]),
  enum: z.array(z.string()).optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
});

/** Settings of a method with their defaults and ranges. */
export function settingsOf(name: MethodName): SettingFacts[] {
  const schema = SCHEMAS.find(({ shape }) => shape.method.value === name);
  return Object.entries(schema?.shape ?? {}).flatMap(([setting, field]) => {
    if (setting === "method") return [];
    const facts = described.parse(z.toJSONSchema(field));
    const values = facts.enum ? facts.enum.join(" or ") : `${facts.minimum} to ${facts.maximum}`;
    return [{ name: setting, about: facts.description, default: facts.default, values }];
  });
}

const isMethod = (name: string): name is MethodName => METHOD_NAMES.some((known) => known === name);

/**
 * Reads "cads:scale=0.1,tau1=0.5" as a method with its settings.
 * @throws RequestError for an unknown method or setting, or a value that is not allowed
 */
export function readMethod(text: string): DiversityMethod {
  const [, name = "", rest = ""] = /^([^:]*):?(.*)$/.exec(text.trim()) ?? [];
  const method = methodNamed(name);
  const given: Record<string, unknown> = {};
  for (const part of rest === "" ? [] : rest.split(",")) {
    const [, setting = "", value = ""] = /^\s*([\w-]+)\s*=\s*(.+?)\s*$/.exec(part) ?? [];
    if (setting === "")
      throw new RequestError(`${name}: "${part}" is no setting; expected setting=value, such as ${exampleOf(method)}`);
    if (setting in given) throw new RequestError(`${name}: ${setting} is given twice`);
    given[setting] = Number.isNaN(Number(value)) ? value : Number(value);
  }
  return settled(method, given);
}

/** The method of this name. @throws RequestError with near names for an unknown one */
export function methodNamed(name: string): MethodName {
  if (isMethod(name)) return name;
  const near = nearest(name, METHOD_NAMES);
  const advice = near.length > 0 ? `did you mean ${near.join(" or ")}?` : `expected one of ${METHOD_NAMES.join(", ")}`;
  throw new RequestError(`${JSON.stringify(name)} is no diversity method; ${advice} (variegate methods lists them)`, {
    field: "diversity",
  });
}

const exampleOf = (name: MethodName): string => {
  const [first] = settingsOf(name);
  return first ? `${first.name}=${first.default}` : "";
};

/** Validates the settings of a method. */
function settled(name: MethodName, given: Readonly<Record<string, unknown>>): DiversityMethod {
  const settings = settingsOf(name);
  const known = settings.map((s) => s.name);
  const unknown = Object.keys(given).find((setting) => !known.includes(setting));
  if (unknown !== undefined) {
    throw new RequestError(`${name} has no setting ${unknown}; it has ${known.join(", ")}`, { field: "diversity" });
  }
  const result = diversitySchema.safeParse({ method: name, ...given });
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const setting = String(issue?.path[0] ?? "");
  throw new RequestError(`${name}: ${setting} is ${String(given[setting])}; ${issue?.message}`, { field: "diversity" });
}

/** Methods of a request with every default filled in. @throws RequestError */
export const settledMethods = (
  given: readonly ReadonlyData<z.input<typeof diversitySchema>>[] = [],
): DiversityMethod[] => given.map(({ method, ...settings }) => settled(method, settings));

/** A method with the settings that differ from their defaults, as the command line takes it. */
export function methodText({ method, ...given }: DiversityMethod): string {
  const usual = new Map(settingsOf(method).map((setting) => [setting.name, setting.default]));
  const settings = Object.entries(given).filter(([name, value]) => value !== usual.get(name));
  return [method, settings.map(([name, value]) => `${name}=${value}`).join(",")]
    .filter((part) => part !== "")
    .join(":");
}

/** What a method changes at a step. @throws RequestError for settings that contradict each other */
export const changeAt = <N extends MethodName>(name: N, settings: Settings[N], place: Place): Change<Hook> | null =>
  METHODS[name].at(settings, place);
