/** Predictions of a row's network for a batch of samples: the model calls, with classifier-free guidance. */
import type { Conditioning } from "../models/index.js";
import { adapterScales, type Call, finite } from "../networks/index.js";
import {
  conditioned,
  guided,
  hooksOf,
  isTwoSided as needsBoth,
  type StepRow,
  twoSidedScale,
} from "../sampling/index.js";
import { type FloatTensor, sample as sampleAt, type Tensor } from "../tensor/index.js";
import type { Run } from "./run.js";
import { type Sample, textLength } from "./sample.js";

/** Facts of a model call for messages. */
export const callOf = ({ bindings }: Run, { model, timestep }: StepRow, index: number): Call => ({
  network: `the ${model} denoiser`,
  at: `row ${index} (timestep ${timestep})`,
  weights: bindings(model).model.weights,
});

/** Shape of a call for samples of one text length. */
export function shapeOf(
  { pair, job }: Run,
  [first]: readonly Sample[],
  tokens = first ? textLength(first) : pair.text.tokens,
) {
  const [, , height, width] = pair.base.denoiser.latents(job.size);
  return { height, width, tokens };
}

export type Side = "conditional" | "unconditional";

/** Conditioning of a sample at a row. Diversity methods change that of the prompt, not that of the negative prompt. */
function conditioningOf({ conditioning, seed }: Sample, row: StepRow, step: number, side: Side): Conditioning[] {
  const own = conditioning.get(row.model)?.[side];
  if (!own) return [];
  return [side === "conditional" ? conditioned(hooksOf(row), own, { seed, step }) : own];
}

/** Guided predictions of a batch, B × [1, C, h, w]. With classifier-free guidance each sample is predicted twice. */
export async function predict(run: Run, row: StepRow, index: number, batch: readonly Sample[]): Promise<FloatTensor[]> {
  const outputs: FloatTensor[] = [];
  for (const sides of sidesOf(run, row, batch)) outputs.push(...(await forward(run, row, index, batch, sides)));
  if (!isTwoSided(run, row)) return outputs;
  const own = { ...row, guidance: twoSidedScale(row, run.bindings(row.model).model.denoiser.embedsGuidance) };
  return batch.map((s, i) => {
    const [uncond, cond] = [outputs[i], outputs[batch.length + i]];
    if (!cond || !uncond) throw new RangeError(`the ${row.model} denoiser gave ${outputs.length} predictions`);
    const { output, momentum } = guided(own, { xt: s.xt, cond, uncond, momentum: s.momentum });
    s.momentum = momentum;
    return output;
  });
}

/** Both sides of classifier-free guidance, in the order of a call. */
const SIDES: readonly Side[] = ["unconditional", "conditional"];

/** True where a row has classifier-free guidance by two predictions. */
export const isTwoSided = ({ bindings }: Run, row: StepRow): boolean =>
  needsBoth(row, bindings(row.model).model.denoiser.embedsGuidance);

/** The sides of each call of a row. Texts of one length share a call; other texts have calls of their own. */
export function sidesOf(run: Run, row: StepRow, batch: readonly Sample[]): readonly (readonly Side[])[] {
  if (!isTwoSided(run, row)) return [["conditional"]];
  const lengths = new Set(SIDES.flatMap((side) => batch.flatMap((s) => textLengthOf(s, row, side))));
  return lengths.size > 1 ? SIDES.map((side) => [side]) : [SIDES];
}

const textLengthOf = ({ conditioning }: Sample, { model }: StepRow, side: Side): readonly number[] =>
  conditioning.get(model)?.[side].streams["text"]?.shape.slice(1, 2) ?? [];

/** Inputs of one call, all samples of the first side first, with their number and the call's shape. */
export function callFor(run: Run, row: StepRow, index: number, batch: readonly Sample[], sides: readonly Side[]) {
  const { model, denoiser } = run.bindings(row.model);
  const repeated = <T>(items: readonly T[]): readonly T[] => sides.flatMap(() => items);
  const conditioning = sides.flatMap((side) => batch.flatMap((s) => conditioningOf(s, row, index, side)));
  const feeds: Record<string, Tensor> = model.denoiser.inputs({
    latents: repeated(batch.map((s) => s.xt)),
    timestep: row.timestep,
    conditioning,
    guidance: row.guidance,
    size: run.job.size,
  });
  if (denoiser && denoiser.stack.loraLayers.size > 0) {
    feeds["adapter_scales"] = adapterScales(repeated(batch.map((s) => denoiser.scales(index, s))));
  }
  return { feeds, count: conditioning.length, shape: shapeOf(run, batch, conditioning[0]?.streams["text"]?.shape[1]) };
}

/** Predictions of one call, all samples of the first side first. */
async function forward(
  run: Run,
  row: StepRow,
  index: number,
  batch: readonly Sample[],
  sides: readonly Side[],
): Promise<FloatTensor[]> {
  const { network, denoiser } = run.bindings(row.model);
  const { feeds, count, shape } = callFor(run, row, index, batch, sides);
  const { outputs } = await network.run(shape, feeds, denoiser?.stack ?? null);
  run.timings.calls += count;
  const prediction = await finite(outputs["prediction"], callOf(run, row, index));
  return Array.from({ length: count }, (_, i) => sampleAt(prediction, i));
}
