/**
 * The slider objective with the arithmetic of the official trainer, its quirks included: the LoRA at scale 1 only, states of a DDIM run with
 * guidance 3, and a timestep 19 above the level of those states.
 */
import { constant } from "../adapters/index.js";
import { generate, type Pair } from "../generate/index.js";
import { uniform } from "../metrics/index.js";
import type { FloatTensor } from "../tensor/index.js";
import { adapterOf } from "./lora.js";
import { type Objective, trainedModel } from "./objective.js";
import { predictionsOf, seedsOf, sliderTarget } from "./slider.js";
import type { SliderRequest, SliderRow } from "./slider-rows.js";

/** The trainer's scheduler, whatever that of the checkpoint. */
const DDIM = {
  ...{ _class_name: "DDIMScheduler", num_train_timesteps: 1000, beta_schedule: "scaled_linear" },
  ...{ beta_start: 0.00085, beta_end: 0.012, clip_sample: false, set_alpha_to_one: true, steps_offset: 0 },
  timestep_spacing: "leading",
};
const GUIDANCE = 3;

/** What the trainer's config sets by default. */
export const OFFICIAL_DEFAULTS = { iterations: 1000, learningRate: 2e-4, denoisingSteps: 50 } as const;

/**
 * Prepares the objective. Each update takes a row and n of 1 … steps − 1, runs n DDIM steps for `target` against `negative` with the LoRA on,
 * and compares predictions at the timestep 999 − ⌊1000 n / steps⌋.
 */
export async function openOfficialSlider(
  pair: Pair,
  rows: readonly SliderRow[],
  { seed = 0 }: Pick<SliderRequest, "seed">,
  steps: number = OFFICIAL_DEFAULTS.denoisingSteps,
): Promise<Objective> {
  const model = trainedModel(pair, "base");
  const { prediction_type = "epsilon" } = pair.base.scheduler.config;
  const scheduler = { file: pair.base.scheduler.file, config: { ...DDIM, prediction_type } };
  const own: Pair = { ...pair, row: null, calibrated: null, base: { ...pair.base, scheduler, known: null } };
  // Listed, because pipelines of Stable Diffusion move a config's timesteps by 1, and the trainer uses no pipeline.
  const stride = Math.floor(1000 / steps);
  const timesteps = Array.from({ length: steps }, (_, i) => (steps - 1 - i) * stride);
  return {
    model,
    async batch(update, lora, values, signal) {
      const draw = uniform((seed + 1) * 7919 + update);
      const row = rows[Math.floor(draw() * rows.length)];
      if (!row) throw new RangeError("a slider needs a row of prompts");
      const n = 1 + Math.floor(draw() * (steps - 1));
      const { batch = null, resolution, negative, target } = row;
      const size = resolution === null ? pair.size : { width: resolution, height: resolution };
      const use = { adapter: adapterOf(lora, values), scale: constant(1), on: "both" } as const;
      const seeds = seedsOf(seed, update, batch ?? 1);
      const latents: FloatTensor[] = [];
      const request = {
        ...{ mode: "base" as const, prompts: [target], negative, seeds, batch: seeds.length },
        ...{ timesteps, guidance: GUIDANCE, size },
      };
      for await (const event of generate({ ...own, adapters: [...pair.adapters, use] }, request, signal)) {
        if (event.type === "step" && event.step === n) latents.push(event.xt);
        if (latents.length === seeds.length) break;
      }
      const timestep = 999 - Math.floor((n * 1000) / steps);
      const encoded = [];
      for (const prompt of [row.neutral, row.positive, negative]) encoded.push(await pair.text.encode(prompt, 0));
      const conditioning = await pair.text.encode(target, 0);
      const targets: FloatTensor[] = [];
      const by = (row.action === "erase" ? -1 : 1) * (row.strength ?? 1);
      for (const xt of latents) {
        const found = await predictionsOf(pair, model, {
          xt,
          timestep,
          guidance: GUIDANCE,
          size,
          conditioning: encoded,
        });
        targets.push(sliderTarget(found, by));
      }
      return { latents, timestep, conditioning: latents.map(() => conditioning), guidance: 1, size, targets, scale: 1 };
    },
  };
}
