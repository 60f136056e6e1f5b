/**
 * Distribution matching distillation (Yin et al. 2024, arXiv 2405.14867: DMD2, without its GAN): the student's images move from where a network
 * that follows them, the fake score, sees them to where the guided base does.
 */
import { addNoise, cleanWeights, combine, type Prediction } from "../sampling/index.js";
import { type FloatTensor, float } from "../tensor/index.js";
import { type NoisySample, noisySample } from "./denoising.js";
import type { Process } from "./process.js";
import type { StudentStep } from "./student.js";
import { cleanOf, type NoisyBatch, type Predict, type TrainedLevel } from "./teacher.js";

/** Smallest mean distance that the direction is divided by. */
const FLOOR = 1e-4;

/** Noise that is added to samples, and its levels. */
export interface Renoised {
  readonly at: readonly TrainedLevel[];
  readonly eps: readonly FloatTensor[];
}

/** Targets of the student's outputs with weights, whose gradient is that of DMD's loss ½ mean (x0 − stop(x0 − d))². */
export interface MatchingBatch extends NoisyBatch {
  readonly targets: readonly FloatTensor[];
  readonly weights: readonly number[];
  /** Direction d of each sample, B × [1, C, h, w]. */
  readonly directions: readonly FloatTensor[];
}

/**
 * The batch of a student's update. d = (x0_fake − x0_real) / mean |x0 − x0_real|, from the two networks' view of the noised x0.
 */
export async function matchingBatch(
  { batch, outputs, clean }: StudentStep,
  { at, eps }: Renoised,
  { real, fake, prediction }: { readonly real: Predict; readonly fake: Predict; readonly prediction: Prediction },
): Promise<MatchingBatch> {
  const { conditioning } = batch;
  const latents = clean.map(({ x0 }, i) => noised(x0, { at, eps }, i));
  const seen = { latents, at, conditioning };
  const [byReal, byFake] = [await cleanOf(real, prediction, seen), await cleanOf(fake, prediction, seen)];
  const directions = clean.map(({ x0 }, i) => directionOf(x0, x0Of(byReal, i), x0Of(byFake, i)));
  const solved = directions.map((d, i) => {
    const [own, output] = [batch.at[i], outputs[i]];
    if (!own || !output) throw new RangeError("there are fewer outputs than samples");
    const { output: by } = cleanWeights(prediction, own.level);
    return { weight: by * by * 0.5, target: combine([1, output], [-1 / by, d]) };
  });
  return { ...batch, directions, targets: solved.map((s) => s.target), weights: solved.map((s) => s.weight) };
}

/** The denoising batch of the fake score on the student's images. */
export function fakeBatch(
  images: readonly FloatTensor[],
  { at, eps }: Renoised,
  { prediction, process }: { readonly prediction: Prediction; readonly process: Pick<Process, "fakeWeight"> },
): readonly (NoisySample & { readonly timestep: number })[] {
  return images.map((x0, i) => {
    const [own, noise] = [at[i], eps[i]];
    if (!own || !noise) throw new RangeError("there is less noise than samples");
    const { level } = own;
    const { xt, target } = noisySample(x0, noise, { level, prediction });
    return { xt, target, weight: process.fakeWeight(prediction, level), timestep: own.timestep };
  });
}

function directionOf(x0: FloatTensor, real: FloatTensor, fake: FloatTensor): FloatTensor {
  const apart = x0.data.reduce((sum, v, i) => sum + Math.abs(v - (real.data[i] ?? 0)), 0) / x0.data.length;
  return float(
    x0.shape,
    x0.data.map((_, i) => ((fake.data[i] ?? 0) - (real.data[i] ?? 0)) / (apart + FLOOR)),
  );
}

function noised(x0: FloatTensor, { at, eps }: Renoised, i: number): FloatTensor {
  const [own, noise] = [at[i], eps[i]];
  if (!own || !noise) throw new RangeError("there is less noise than samples");
  return addNoise(x0, noise, own.level);
}

function x0Of(all: readonly { readonly x0: FloatTensor }[], i: number): FloatTensor {
  const found = all[i];
  if (!found) throw new RangeError("a network gave fewer outputs than samples");
  return found.x0;
}
