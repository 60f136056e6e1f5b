/** Optimises the latents that a prompt's samples begin with, through the network of the first row (contrastive noise). */
import type { DenoiserShape } from "../models/index.js";
import { finite, openPullback, type Pullback } from "../networks/index.js";
import {
  cleanWeights,
  combine,
  contrastiveLoss,
  noiseOptimisationOf,
  noiseStep,
  type StepRow,
} from "../sampling/index.js";
import { type FloatTensor, sample as sampleAt, stack } from "../tensor/index.js";
import { callFor, callOf, isTwoSided, predict, type Side, sidesOf } from "./predict.js";
import type { Run } from "./run.js";
import type { Sample } from "./sample.js";

/** Replaces the latents of a prompt's samples where the row asks for it. Rescaling of guidance is left out of the gradient. */
export async function optimiseNoise(run: Run, row: StepRow, index: number, unit: readonly Sample[]): Promise<void> {
  const hook = noiseOptimisationOf(row);
  if (!hook || unit.length < 2) return;
  const start = performance.now();
  const pullback = pullbackOf(run, row);
  const weights = cleanWeights(row.prediction, row.at);
  try {
    let anchors: readonly FloatTensor[] | null = null;
    for (let i = 0; i < hook.iterations; i++) {
      const x0: FloatTensor[] = [];
      for (const batch of batchesOf(run, unit)) {
        const outputs = await predict(run, row, index, batch);
        x0.push(
          ...outputs.flatMap((output, at) => {
            const xt = batch[at]?.xt;
            return xt ? combine([weights.xt, xt], [weights.output, output]) : [];
          }),
        );
      }
      anchors ??= x0;
      const { gradients } = contrastiveLoss(hook, x0, anchors);
      let done = 0;
      for (const batch of batchesOf(run, unit)) {
        const towards = await pulled(run, pullback, { row, index, batch }, gradients.slice(done, done + batch.length));
        for (const [at, s] of batch.entries()) s.xt = towards[at] ? noiseStep(hook, s.xt, towards[at]) : s.xt;
        done += batch.length;
      }
    }
  } finally {
    await pullback.release();
    run.timings.denoise += performance.now() - start;
  }
}

function* batchesOf({ job, signal }: Run, unit: readonly Sample[]): Generator<readonly Sample[]> {
  for (let at = 0; at < unit.length; at += job.batch) {
    signal?.throwIfAborted();
    yield unit.slice(at, at + job.batch);
  }
}

/** The pullback of a row's network, with the adapters of the row. */
function pullbackOf({ pair, bindings }: Run, row: StepRow): Pullback<DenoiserShape> {
  const { model, denoiser } = bindings(row.model);
  const { runtime, upcast } = pair.engine;
  return openPullback({
    ...{ runtime, upcast, weights: model.weights, stack: denoiser?.stack ?? null },
    draw: (shape, index) => model.denoiser.draw(shape, index),
    ...{ of: "prediction", to: "sample" },
  });
}

interface Call {
  readonly row: StepRow;
  readonly index: number;
  readonly batch: readonly Sample[];
}

/** Gradients with respect to x_t, from those with respect to x0: of x0 itself, and through the network's output. */
async function pulled(
  run: Run,
  pullback: Pullback<DenoiserShape>,
  { row, index, batch }: Call,
  gradients: readonly FloatTensor[],
): Promise<FloatTensor[]> {
  const weights = cleanWeights(row.prediction, row.at);
  /** Share of a side's prediction in the guided one. */
  const share = (side: Side): number =>
    !isTwoSided(run, row) ? 1 : side === "conditional" ? row.guidance : 1 - row.guidance;
  let sums = gradients.map((gradient) => combine([weights.xt, gradient]));
  for (const sides of sidesOf(run, row, batch)) {
    const { feeds, count, shape } = callFor(run, row, index, batch, sides);
    const cotangents = sides.flatMap((side) => gradients.map((each) => combine([weights.output * share(side), each])));
    const towards = await finite(await pullback.run(shape, feeds, stack(cotangents)), callOf(run, row, index));
    run.timings.calls += count;
    sums = sums.map((sum, i) =>
      combine([1, sum], ...sides.map((_, k) => [1, sampleAt(towards, k * batch.length + i)] as const)),
    );
  }
  return sums;
}
