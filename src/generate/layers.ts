/** The sources of a model's settings, in order of precedence: the request, the model's author, defaults. */
import { factsOf } from "../families/index.js";
import type { SamplingRequest } from "../sampling/index.js";
import type { ModelSource, PlanSource, SamplingDefaults } from "./plan-source.js";
import type { ModelSettings, Origin, Setting } from "./settings.js";

/** Defaults of a distilled model without settings of its own. */
const FEW_STEPS = { steps: 4, guidance: 0 } as const;
/** Defaults of diffusers' LatentConsistencyModelPipeline, for networks that take the guidance scale as an input. */
const EMBEDDED_GUIDANCE = { steps: 4, guidance: 8.5 } as const;

/** A model of a pair; for a pair without a distilled model the base. */
export const modelOf = (pair: PlanSource, which: "base" | "distilled"): ModelSource =>
  (which === "base" ? pair.base : pair.distilled) ?? pair.base;

/** Settings of one origin. */
interface Layer {
  readonly origin: Origin;
  readonly values: Partial<SamplingDefaults>;
}

/** Settings of a model by origin. The first layer that has a setting decides. */
export function layersOf(pair: PlanSource, request: SamplingRequest, which: "base" | "distilled"): readonly Layer[] {
  const { embedsGuidance, isDistilled = which === "distilled" } = modelOf(pair, which);
  const { sampling } = factsOf(pair.family);
  const embedded = isDistilled || !sampling.embedded ? (sampling.embedded ?? EMBEDDED_GUIDANCE) : sampling;
  const defaults = embedsGuidance ? embedded : isDistilled ? FEW_STEPS : sampling;
  return [
    { origin: { from: "option" }, values: request },
    ...authorsLayer(pair, which),
    { origin: { from: "default" }, values: defaults },
  ];
}

/** Settings of the model's author: of the pair it was recognised as, else of the pair that was named. */
function authorsLayer(pair: PlanSource, which: "base" | "distilled"): readonly Layer[] {
  const { known, scheduler } = modelOf(pair, which);
  if (known) {
    const { sampling, pair: row, by, match } = known;
    const { scheduler: name, timesteps, steps = timesteps?.length, guidance } = sampling;
    // A scheduler config beside the model is closer to its author than a name that looks alike.
    const other = scheduler !== pair.base.scheduler && name !== scheduler.config["_class_name"];
    const { loraScale } = sampling;
    const values = other
      ? { ...(steps !== undefined && { steps }), guidance, ...(loraScale !== undefined && { loraScale }) }
      : sampling;
    return [{ origin: { from: "recognised", pair: row, by, match }, values }];
  }
  return pair.row ? [{ origin: { from: "pair", pair: pair.row.name }, values: pair.row.sampling[which] }] : [];
}

/** Scale of the distilled model's LoRA, as its author uses it. */
export const loraScaleOf = (pair: PlanSource): number =>
  settingIn(authorsLayer(pair, "distilled"), "loraScale")?.value ?? 1;

/** A setting, from the first layer that has it. */
export function settingIn<K extends keyof SamplingDefaults>(
  layers: readonly Layer[],
  key: K,
): Setting<NonNullable<SamplingDefaults[K]>> | undefined {
  for (const { origin, values } of layers) {
    const value = values[key];
    if (value !== undefined) return { value, ...origin };
  }
  return undefined;
}

/**
 * Number of steps or timesteps. Within a layer, timesteps decide. Timesteps that were not asked for yield to a scheduler that takes none
 * (`takesTimesteps` false); their number stays.
 */
export function extentIn(
  layers: readonly Layer[],
  takesTimesteps: boolean,
): Pick<ModelSettings, "steps" | "timesteps"> {
  for (const { origin, values } of layers) {
    const { timesteps, steps = timesteps?.length } = values;
    if (timesteps && (takesTimesteps || origin.from === "option"))
      return { timesteps: { value: timesteps, ...origin } };
    if (steps !== undefined) return { steps: { value: steps, ...origin } };
  }
  return { steps: { value: FEW_STEPS.steps, from: "default" } };
}
