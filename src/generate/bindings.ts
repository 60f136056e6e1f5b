/** Networks and adapters of the models that a plan names. */
import { constant, type Part, type Scale } from "../adapters/index.js";
import type { ModelName, Plan } from "../sampling/index.js";
import { type AdapterBinding, type AdapterUse, bindAdapters } from "./adapters.js";
import type { Job } from "./job.js";
import { loraScaleOf } from "./layers.js";
import type { Model, Pair } from "./pair.js";

export interface ModelBinding {
  readonly model: Model;
  /** Network to run. With shared weights both models use the base's. */
  readonly network: Model["network"];
  readonly denoiser: AdapterBinding | null;
  /** Adapters of each text encoder. */
  readonly text: readonly (AdapterBinding | null)[];
}

export type Bindings = (model: ModelName) => ModelBinding;

const TEXT_PARTS = ["text_encoder", "text_encoder_2", "text_encoder_3"] as const satisfies readonly Part[];

/** Scale of the distilled LoRA: its author's, times that of each row. */
function loraScale({ rows }: Plan, own: number): Scale {
  if (rows.every((row) => row.kind === "renoise" || row.loraScale === undefined)) return constant(own);
  const scales = rows.map((row, i) => ({
    from: i,
    to: i,
    scale: own * (row.kind === "step" ? (row.loraScale ?? 1) : 1),
  }));
  return { ...constant(own), rows: scales };
}

/** Binds the models of a pair for a job. */
export function bindModels(pair: Pair, { adapters, offload, plan }: Job): Bindings {
  const shared = offload === "shared";
  const lora = pair.distilled?.lora;
  const own: AdapterUse[] = lora ? [{ adapter: lora, scale: loraScale(plan, loraScaleOf(pair)), on: "distilled" }] : [];
  const bind = (name: ModelName): ModelBinding | null => {
    const model = pair[name];
    if (!model) return null;
    const acts = ({ on }: AdapterUse) => on === "both" || on === name;
    // With shared weights both models have the same stack and share a session; adapters of the other model have scale 0.
    const stacked = [...own, ...adapters].filter((use) => shared || acts(use));
    return {
      model,
      network: (shared ? pair.base : model).network,
      denoiser: bindAdapters("unet", stacked, acts),
      text: TEXT_PARTS.map((part) => bindAdapters(part, adapters.filter(acts), () => true)),
    };
  };
  const bound = { base: bind("base"), distilled: bind("distilled") };
  return (name) => {
    const found = bound[name];
    if (!found) throw new RangeError(`the plan names the ${name} model, which this pair does not have`);
    return found;
  };
}
