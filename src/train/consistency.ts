/**
 * Latent consistency distillation (Luo et al. 2023, arXiv 2310.04378, algorithm 1) at one guidance scale: what the student makes of x_t should be
 * what a slow average of it makes of the point one DDIM step of the guided base further on. For flow matching that is an Euler step.
 */
import { cleanWeights, combine, type Prediction } from "../sampling/index.js";
import type { FloatTensor } from "../tensor/index.js";
import type { Process } from "./process.js";
import { cleanOf, type NoisyBatch, type Predict, type TrainedLevel } from "./teacher.js";

/** c of the Pseudo-Huber loss, as in diffusers' scripts, whose commands choose it; their default is the squared error. */
export const HUBER = 1e-3;
/** DDIM steps of the base, between which a student's neighbouring points lie. */
export const DDIM_STEPS = 50;

/** Neighbouring points of the base's run: a timestep, and the next that is less noisy. */
export interface Neighbours {
  readonly from: TrainedLevel;
  readonly to: TrainedLevel;
}

/** Pairs of neighbours among all training levels, from the least noisy: those of timesteps 19 and 0, 39 and 19, … 999 and 979 of 1,000. */
export function neighbours(
  levels: readonly TrainedLevel[],
  { end = levels[0] }: Pick<Process, "end"> = {},
): Neighbours[] {
  const skip = Math.floor(levels.length / DDIM_STEPS);
  return Array.from({ length: DDIM_STEPS }).flatMap((_, i) => {
    const [from, to] = [levels[(i + 1) * skip - 1], i === 0 ? end : levels[i * skip - 1]];
    return from && to ? [{ from, to }] : [];
  });
}

/** Networks of a consistency update. */
export interface ConsistencyNetworks {
  readonly prediction: Prediction;
  readonly process: Pick<Process, "boundary">;
  /** The base with guidance. */
  readonly teacher: Predict;
  /** The student's average. */
  readonly target: Predict;
}

/** x_t, targets of the student's output there, and weights that turn an error of the output into one of what it makes of x_t. */
export interface ConsistencyBatch {
  readonly latents: readonly FloatTensor[];
  readonly targets: readonly FloatTensor[];
  readonly weights: readonly number[];
}

/** The batch of an update. @param batch x_t at `pairs[i].from` of each sample */
export async function consistencyBatch(
  { latents, conditioning }: Pick<NoisyBatch, "latents" | "conditioning">,
  pairs: readonly Neighbours[],
  { prediction, process, teacher, target }: ConsistencyNetworks,
): Promise<ConsistencyBatch> {
  const from = { latents, conditioning, at: pairs.map((p) => p.from) };
  const guided = await cleanOf(teacher, prediction, from);
  const moved = guided.map(({ x0, eps }, i) => {
    const { alpha, sigma } = pairOf(pairs, i).to.level;
    return combine([alpha, x0], [sigma, eps]);
  });
  const to = { latents: moved, conditioning, at: pairs.map((p) => p.to) };
  const made = await cleanOf(target, prediction, to);
  const solved = made.map(({ x0 }, i) => {
    const [pair, xt, next] = [pairOf(pairs, i), latents[i], moved[i]];
    if (!xt || !next) throw new RangeError("there are fewer latents than samples");
    const aim = process.boundary(pair.to.timestep);
    const own = process.boundary(pair.from.timestep);
    const weights = cleanWeights(prediction, pair.from.level);
    // skip x_t + out (weights.xt x_t + weights.output y) = aim, solved for the output y.
    const by = own.out * weights.output;
    const ofXt = own.skip + own.out * weights.xt;
    return { weight: by * by, output: combine([aim.skip / by, next], [aim.out / by, x0], [-ofXt / by, xt]) };
  });
  return { latents, targets: solved.map((s) => s.output), weights: solved.map((s) => s.weight) };
}

function pairOf(pairs: readonly Neighbours[], i: number): Neighbours {
  const pair = pairs[i];
  if (!pair) throw new RangeError("there are fewer timesteps than samples");
  return pair;
}
