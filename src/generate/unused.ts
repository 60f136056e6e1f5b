/** Fields of a request that have no effect on its plan, as sentences. Values that equal a default are not reported. */
import { isGuided, type Plan } from "../sampling/index.js";
import { formsOf } from "../schema/index.js";
import { counted } from "../tensor/index.js";
import { seedsToRun } from "./candidates.js";
import type { PlanSource } from "./plan-source.js";
import { planFor, settingsFor } from "./planning.js";
import { type GenerateRequest, HYBRID_FIELDS, requestFields } from "./request.js";

interface Asked {
  readonly pair: PlanSource;
  readonly request: GenerateRequest;
  readonly plan: Plan;
}

type Field = keyof typeof requestFields;

/** Flags of fields, as the sentences name them: "--switch". A list of rows is set by --base-rows. */
const flagsOf = (fields: readonly Field[], { request }: Asked): string =>
  fields
    .map((name) => formsOf(requestFields[name])[name === "switch" && Array.isArray(request.switch) ? 1 : 0]?.flag)
    .map((flag) => flag?.split(" ")[0] ?? "")
    .join(", ");

/** Why fields have no effect; null where they have one, or are not set. */
type Rule = (asked: Asked) => { readonly fields: readonly Field[]; readonly why: string } | null;

const runs = ({ plan }: Pick<Asked, "plan">, model: "base" | "distilled"): boolean =>
  plan.rows.some((row) => row.kind === "step" && row.model === model);

const isHybrid = ({ pair, request }: Asked): boolean =>
  request.mode === "hybrid" || (request.mode === undefined && pair.distilled !== null);

const outsideHybrids: Rule = (asked) => {
  const fields = HYBRID_FIELDS.filter((name) => asked.request[name] !== undefined);
  if (isHybrid(asked) || fields.length === 0) return null;
  const { mode } = asked.request;
  return { fields, why: mode ? `a run with --mode ${mode} has one model` : "there is no distilled model" };
};

const baseWithoutRows: Rule = (asked) => {
  const fields = HYBRID_FIELDS.filter((name) => name !== "switch" && asked.request[name] !== undefined);
  if (!isHybrid(asked) || runs(asked, "base") || fields.length === 0) return null;
  return { fields, why: "the base runs no step of this plan" };
};

const guidanceWithoutRows: Rule = (asked) =>
  isHybrid(asked) && asked.request.guidance !== undefined && !runs(asked, "distilled")
    ? { fields: ["guidance"], why: "the base runs every step, with --base-guidance" }
    : null;

const stepsBesideTimesteps: Rule = ({ request }) =>
  request.steps !== undefined && request.timesteps !== undefined
    ? { fields: ["steps"], why: "--timesteps names the steps" }
    : null;

const unreadSpacing: Rule = ({ pair, request }) => {
  const { base, distilled } = settingsFor(pair, request);
  const fields: Field[] = [];
  if (request.spacing !== undefined && (distilled ?? base)?.spacing === undefined) fields.push("spacing");
  if (distilled && request.baseSpacing !== undefined && base?.spacing === undefined) fields.push("baseSpacing");
  const why = request.timesteps ? "--timesteps names the steps" : "the scheduler does not read a spacing";
  return fields.length === 0 ? null : { fields, why };
};

const unreadEta: Rule = ({ pair, request, plan }) => {
  if (!request.eta) return null;
  const without = planFor(pair, { ...request, eta: 0 });
  return JSON.stringify(without) === JSON.stringify(plan)
    ? { fields: ["eta"], why: "no scheduler of this plan reads it (DDIMScheduler and TCDScheduler do)" }
    : null;
};

const unguidedRescale: Rule = ({ request, plan }) =>
  request.guidanceRescale && !plan.rows.some((row) => row.kind === "step" && isGuided(row))
    ? { fields: ["guidanceRescale"], why: "no step has a guidance scale above 1" }
    : null;

const unreadTrueGuidance: Rule = ({ pair, request, plan }) =>
  request.trueGuidance !== undefined &&
  !plan.rows.some((row) => row.kind === "step" && pair[row.model]?.embedsGuidance === true)
    ? { fields: ["trueGuidance"], why: "no model of this plan takes the guidance scale as an input; use --guidance" }
    : null;

const CHOICE_FIELDS = ["chooseBy", "chooseFit", "choosePrune"] as const;

const withoutChoosing: Rule = ({ request }) => {
  const fields = CHOICE_FIELDS.filter((name) => request[name] !== undefined);
  return request.choose || fields.length === 0 ? null : { fields, why: "--choose is not given" };
};

const RULES: readonly Rule[] = [
  ...[outsideHybrids, baseWithoutRows, guidanceWithoutRows],
  ...[stepsBesideTimesteps, unreadSpacing, unreadEta, unguidedRescale, unreadTrueGuidance, withoutChoosing],
];

/** Samples of a request whose prompt or seed is not among those of the request. */
function unknownSamples(request: GenerateRequest): string[] {
  const { prompts, samples = [] } = request;
  const seeds = seedsToRun(request);
  const unknown = samples.filter(({ prompt, seed }) => prompt >= prompts.length || !seeds.includes(seed));
  const n = unknown.length;
  if (n === 0) return [];
  const of = `${n} of ${counted(samples.length, "sample")}`;
  return [
    n === 1
      ? `${of} has no effect: its prompt or seed is not among those of the request`
      : `${of} have no effect: their prompt or seed is not among those of the request`,
  ];
}

/** Adapters for a model that runs no step, as sentences. @param plans those of all modes that run */
export function unusedAdapters(adapters: GenerateRequest["adapters"] = [], ...plans: readonly Plan[]): string[] {
  const of = plans.length === 1 ? "this plan" : "these plans";
  return adapters.flatMap(({ ref, on = "both" }) =>
    on === "both" || plans.some((plan) => runs({ plan }, on))
      ? []
      : [`the adapter ${ref} has no effect: the ${on} model runs no step of ${of}`],
  );
}

/** A sentence for each group of fields without effect. */
export const unusedFields = (asked: Asked): string[] => [
  ...RULES.flatMap((rule) => {
    const found = rule(asked);
    if (!found) return [];
    return `${flagsOf(found.fields, asked)} ${found.fields.length === 1 ? "has" : "have"} no effect: ${found.why}`;
  }),
  ...unusedAdapters(asked.request.adapters, asked.plan),
  ...unknownSamples(asked.request),
];
