/**
 * The objective of Concept Sliders (Gandikota et al. 2024, arXiv 2311.12092, eq. 7): with the LoRA at scale s, the prediction for the concept
 * moves by s · η · (ε(positive) − ε(negative)) from the unchanged model's.
 */
import { constant, stackOn } from "../adapters/index.js";
import { type GenerateRequest, generate, type Model, type Pair, planFor } from "../generate/index.js";
import { uniform } from "../metrics/index.js";
import type { Conditioning, ImageSize } from "../models/index.js";
import { adapterScales, floats } from "../networks/index.js";
import type { Tensors } from "../optim/index.js";
import type { Row, StepRow } from "../sampling/index.js";
import { type FloatTensor, float, sample } from "../tensor/index.js";
import { encodeCaption } from "./examples.js";
import { adapterOf, type TrainedLora } from "./lora.js";
import { type Objective, trainedModel } from "./objective.js";
import { rowOfRequest, type SliderRequest, type SliderRow } from "./slider-rows.js";
import { byTextLength, textTokens } from "./text-lengths.js";

/** Prepares a slider's objective: encodes the prompts of its rows. @throws RequestError for a model that cannot be trained */
export async function openSlider(
  pair: Pair,
  o: SliderRequest,
  rows: readonly SliderRow[] = [rowOfRequest(o)],
): Promise<Objective> {
  const { on = "base", batch: samples = 4, seed = 0 } = o;
  const model = trainedModel(pair, on);
  const encoded: EncodedRow[] = [];
  for (const row of rows) encoded.push(await encodeRow(pair, row, o));
  const { size = pair.size } = o;

  /** Latents x_t of `samples` runs of the target with the LoRA at a scale, before a step. */
  async function statesAt(
    { request, steps }: EncodedRow,
    row: StepRow,
    update: number,
    { lora, values, scale, signal }: Trained,
  ): Promise<FloatTensor[]> {
    const adapter = { adapter: adapterOf(lora, values), scale: constant(scale), on: "both" } as const;
    const found: FloatTensor[] = [];
    const step = steps.indexOf(row);
    for await (const event of generate(
      { ...pair, adapters: [...pair.adapters, adapter] },
      { ...request, seeds: seedsOf(seed, update, samples), batch: samples },
      signal,
    )) {
      if (event.type === "step" && event.step === step) found.push(event.xt);
      if (found.length === samples) break;
    }
    return found;
  }

  return {
    model,
    async batch(update, lora, values, signal) {
      const draw = uniform((seed + 1) * 7919 + update);
      const picked = encoded.length === 1 ? 0 : Math.floor(draw() * encoded.length);
      const own = encoded[picked];
      const row = own?.steps[Math.floor(draw() * own.steps.length)];
      if (!own || !row) throw new RangeError("the plan has no step");
      const scale = update % 2 === 0 ? 1 : -1;
      const latents = await statesAt(own, row, update, { lora, values, scale, ...(signal && { signal }) });
      const { timestep, guidance } = row;
      const targets: FloatTensor[] = [];
      for (const xt of latents) {
        const found = await predictionsOf(pair, model, { xt, timestep, guidance, size, conditioning: own.directions });
        targets.push(sliderTarget(found, scale * own.strength));
      }
      return { latents, timestep, conditioning: latents.map(() => own.target), guidance, size, targets, scale };
    },
  };
}

/** A row with its prompts encoded, and the runs of its target. */
interface EncodedRow {
  readonly target: Conditioning;
  /** Neutral, positive, negative. */
  readonly directions: readonly Conditioning[];
  /** η, negative for a concept that is erased. */
  readonly strength: number;
  readonly request: GenerateRequest;
  readonly steps: readonly StepRow[];
}

async function encodeRow(
  pair: Pair,
  row: SliderRow,
  { on = "base", strength, size }: SliderRequest,
): Promise<EncodedRow> {
  const whole = { mode: on, prompts: [row.target], ...(size && { size }) };
  const most = stepsIn(planFor(pair, whole).rows).length;
  const request = { ...whole, ...(most > MOST_STEPS && { steps: MOST_STEPS }) };
  const directions: Conditioning[] = [];
  for (const prompt of [row.neutral, row.positive, row.negative])
    directions.push(await encodeCaption(pair, prompt, on));
  // A step of a few-step model moves the image further (measured on the embedded pair).
  const own = strength ?? row.strength ?? (on === "distilled" ? 1 : 2);
  return {
    target: await encodeCaption(pair, row.target, on),
    directions,
    strength: row.action === "erase" ? -own : own,
    request,
    steps: stepsIn(planFor(pair, request).rows),
  };
}

/** Predictions of the unchanged model for one x_t and several prompts. */
export async function predictionsOf(
  pair: Pick<Pair, "adapters">,
  { denoiser, network }: Pick<Model, "denoiser" | "network">,
  o: {
    readonly xt: FloatTensor;
    readonly timestep: number;
    readonly guidance: number;
    readonly size: ImageSize;
    readonly conditioning: readonly Conditioning[];
  },
): Promise<FloatTensor[]> {
  const { xt, conditioning, ...call } = o;
  const stack = stackOn("unet", pair.adapters);
  const [, , height, width] = denoiser.latents(o.size);
  const found: FloatTensor[] = [];
  for (const at of byTextLength(conditioning)) {
    const own = at.flatMap((i) => conditioning[i] ?? []);
    const feeds = denoiser.inputs({ ...call, latents: own.map(() => xt), conditioning: own });
    if (stack && stack.loraLayers.size > 0)
      feeds["adapter_scales"] = adapterScales(own.map(() => stack.scales(0, { prompt: 0, seed: 0 })));
    const shape = { height, width, tokens: own[0] ? textTokens(own[0]) : 0 };
    const all = floats((await network.run(shape, feeds, stack)).outputs["prediction"]);
    for (const [place, i] of at.entries()) found[i] = sample(all, place);
  }
  return found;
}

/** Most steps of the runs whose states are trained on: to reach a state of a base's 25 or 50 would take most of the time. */
const MOST_STEPS = 10;
const stepsIn = (rows: readonly Row[]): StepRow[] => rows.flatMap((row) => (row.kind === "step" ? [row] : []));

/** Seeds of a run begin here, times its own seed and 1: beyond those that people choose. */
const FIRST = 1_000_000;

/** Seeds of the states of an update. */
export const seedsOf = (seed: number, update: number, samples: number): number[] =>
  Array.from({ length: samples }, (_, i) => (seed + 1) * FIRST + update * samples + i);

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
