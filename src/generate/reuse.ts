/** Rows of a sample that an earlier run has computed: which they are, and their states. Calls no network. */
import { isTwoSided, type Row } from "../sampling/index.js";
import { count, type FloatTensor } from "../tensor/index.js";
import type { GenerateCache } from "./cache.js";
import type { Run } from "./run.js";
import type { RowState, Sample, SampleKey } from "./sample.js";

/** Bytes of the state of a Mersenne Twister. */
const RNG = 2_500;
const size = (tensor: FloatTensor | null): number => (tensor ? 4 * count(tensor.shape) : 0);

/** Key of what a sample begins with: two runs with equal keys have equal initial latents. */
export const startKey = ({ job }: Run, { seed }: SampleKey, shape: readonly number[]): string =>
  JSON.stringify([seed, job.size, shape, job.plan.initNoiseScale]);

/**
 * Key of the state after a row: that of the state before it, the row, and all else that the model call reads. The conditioning is named by
 * its prompt. Hooks are part of the row; runs with hooks that see the other samples of a prompt are not kept.
 */
function rowKey({ bindings, job }: Run, sample: Sample, before: string, row: Row, index: number): string {
  if (row.kind === "renoise") return JSON.stringify([before, row]);
  const { denoiser, model } = bindings(row.model);
  const adapted = denoiser && [denoiser.stack.graphKey, denoiser.stack.inputKey, denoiser.scales(index, sample)];
  const read = [
    sample.conditioning.get(row.model)?.key,
    isTwoSided(row, model.denoiser.embedsGuidance) && job.negative,
  ];
  return JSON.stringify([before, row, adapted, read]);
}

/** States after the first rows of a plan, as far as the cache has them one after the other. */
export function keptRows(run: Run, sample: Sample, cache: GenerateCache): RowState[] {
  const states: RowState[] = [];
  let before = sample.place;
  for (const [index, row] of run.job.plan.rows.entries()) {
    const found = cache.rows.get(rowKey(run, sample, before, row, index));
    if (!found) break;
    states.push(found);
    before = String(found.serial);
  }
  return states;
}

/** Takes a sample to the state after a row. */
export function resume(sample: Sample, { serial, xt, state, momentum, rng }: RowState): void {
  sample.xt = xt;
  sample.state = state;
  sample.momentum = momentum;
  sample.rng = rng.clone();
  sample.place = String(serial);
}

/** Keeps the state of a sample after a row. */
export function keepRow(
  run: Run,
  sample: Sample,
  row: Row,
  index: number,
  x0: FloatTensor | null,
  cache: GenerateCache,
): void {
  const { xt, state, momentum, rng } = sample;
  const kept: RowState = { serial: cache.serial(), xt, x0, state, momentum, rng: rng.clone() };
  const history = state ? state.outputs.reduce((n, output) => n + size(output), 0) : 0;
  cache.rows.set(
    rowKey(run, sample, sample.place, row, index),
    kept,
    size(xt) + size(x0) + size(momentum) + history + RNG,
  );
  sample.place = String(kept.serial);
}
