/**
 * The objective of Concept Sliders (Gandikota et al. 2024, arXiv 2311.12092, eq. 7): with the LoRA at scale s, the prediction for the concept
 * moves by s · η · (ε(positive) − ε(negative)) from the unchanged model's.
 */
import { constant, stackOn } from "../adapters/index.js";
import { generate, type Pair, planFor } from "../generate/index.js";
import { uniform } from "../metrics/index.js";
import type { Conditioning } from "../models/index.js";
import { adapterScales, floats } from "../networks/index.js";
import type { Tensors } from "../optim/index.js";
import type { Row, StepRow } from "../sampling/index.js";
import type { InputOf } from "../schema/index.js";
import { type FloatTensor, float, sample } from "../tensor/index.js";
import type { sliderFields } from "./fields.js";
import { adapterOf, type TrainedLora } from "./lora.js";
import { type Objective, trainedModel } from "./objective.js";

/** A slider to train: three prompts, the model, and how it is trained. */
export type SliderRequest = InputOf<typeof sliderFields>;

/** Prepares a slider's objective: encodes the three prompts. @throws RequestError for a model that cannot be trained */
export async function openSlider(pair: Pair, o: SliderRequest): Promise<Objective> {
  const { on = "base", batch: samples = 4, seed = 0 } = o;
  // A step of a few-step model moves the image further (measured on the embedded pair).
  const { strength = on === "distilled" ? 1 : 2 } = o;
  const { size } = pair;
  const model = trainedModel(pair, on);
  const { denoiser, network } = model;
  const whole = { mode: on, prompts: [o.concept] };
  const most = stepsIn(planFor(pair, whole).rows).length;
  const request = { ...whole, ...(most > MOST_STEPS && { steps: MOST_STEPS }) };
  const { rows } = planFor(pair, request);
  const steps = stepsIn(rows);
  const encoded: Conditioning[] = [];
  for (const prompt of [o.concept, o.positive, o.negative]) encoded.push(await pair.text.encode(prompt, 0));
  const [neutral, ...directions] = encoded;
  if (!neutral) throw new RangeError("a slider needs a concept");
  const [, , height, width] = denoiser.latents(size);
  const shape = { height, width, tokens: neutral.streams["text"]?.shape[1] ?? 0 };

  /** Latents x_t of `samples` runs of the concept with the LoRA at a scale, before a step. */
  async function statesAt(
    row: StepRow,
    update: number,
    { lora, values, scale, signal }: Trained,
  ): Promise<FloatTensor[]> {
    const seeds = Array.from({ length: samples }, (_, i) => (seed + 1) * FIRST + update * samples + i);
    const adapter = { adapter: adapterOf(lora, values), scale: constant(scale), on: "both" } as const;
    const found: FloatTensor[] = [];
    const step = steps.indexOf(row);
    for await (const event of generate(
      { ...pair, adapters: [...pair.adapters, adapter] },
      { ...request, seeds, batch: samples },
      signal,
    )) {
      if (event.type === "step" && event.step === step) found.push(event.xt);
      if (found.length === samples) break;
    }
    return found;
  }

  /** Predictions of the unchanged model for each prompt. */
  async function predictions(latents: FloatTensor, { timestep, guidance }: StepRow): Promise<FloatTensor[]> {
    const conditioning = [neutral, ...directions].flatMap((c) => c ?? []);
    const feeds = denoiser.inputs({ latents: conditioning.map(() => latents), timestep, conditioning, guidance, size });
    const stack = stackOn("unet", pair.adapters);
    if (stack && stack.loraLayers.size > 0)
      feeds["adapter_scales"] = adapterScales(conditioning.map(() => stack.scales(0, { prompt: 0, seed: 0 })));
    const { outputs } = await network.run(shape, feeds, stack);
    const all = floats(outputs["prediction"]);
    return conditioning.map((_, i) => sample(all, i));
  }

  return {
    model,
    async batch(update, lora, values, signal) {
      const draw = uniform((seed + 1) * 7919 + update);
      const row = steps[Math.floor(draw() * steps.length)];
      if (!row) throw new RangeError("the plan has no step");
      const scale = update % 2 === 0 ? 1 : -1;
      const latents = await statesAt(row, update, { lora, values, scale, ...(signal && { signal }) });
      const targets: FloatTensor[] = [];
      for (const xt of latents) targets.push(sliderTarget(await predictions(xt, row), scale * strength));
      const { timestep, guidance } = row;
      return { latents, timestep, conditioning: latents.map(() => neutral), guidance, size, targets, scale };
    },
  };
}

/** Most steps of the runs whose states are trained on: to reach a state of a base's 25 or 50 would take most of the time. */
const MOST_STEPS = 10;
const stepsIn = (rows: readonly Row[]): StepRow[] => rows.flatMap((row) => (row.kind === "step" ? [row] : []));

/** Seeds of a run begin here, times its own seed and 1: beyond those that people choose. */
const FIRST = 1_000_000;

interface Trained {
  readonly lora: TrainedLora;
  readonly values: Tensors;
  readonly scale: number;
  readonly signal?: AbortSignal;
}

/** ε(concept) + by · (ε(positive) − ε(negative)), from the three predictions in this order. */
export function sliderTarget([neutral, positive, negative]: readonly FloatTensor[], by: number): FloatTensor {
  if (!neutral || !positive || !negative) throw new RangeError("three predictions were expected");
  return float(
    neutral.shape,
    neutral.data.map((v, i) => v + by * ((positive.data[i] ?? 0) - (negative.data[i] ?? 0))),
  );
}
