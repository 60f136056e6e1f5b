/** Runs the rows of a plan over a group of samples: model calls in batches, then one solver step for each sample. */
import { finite } from "../networks/index.js";
import {
  advance,
  type Choice,
  type FeaturePull,
  groupOutputs,
  isGrouped,
  type ModelName,
  noiseOptimisationOf,
  type Plan,
  type Row,
  type StepRow,
} from "../sampling/index.js";
import type { FloatTensor } from "../tensor/index.js";
import { chosen } from "./choose.js";
import type { GenerateEvent, StepEvent } from "./events.js";
import type { optimiseNoise } from "./optimise-noise.js";
import { callOf, predict, shapeOf } from "./predict.js";
import { keepRow, resume } from "./reuse.js";
import type { Run } from "./run.js";
import type { Sample } from "./sample.js";

/** Consecutive rows that call one model, with their index in the plan. */
export interface Phase {
  readonly model: ModelName;
  readonly rows: readonly { readonly row: Row; readonly index: number }[];
}

/** Splits the rows of a plan where the model changes. Re-noise rows belong to the step that follows. */
export function phasesOf({ rows }: Plan): Phase[] {
  const phases: { model: ModelName; rows: { row: Row; index: number }[] }[] = [];
  let noise: { row: Row; index: number }[] = [];
  for (const [index, row] of rows.entries()) {
    if (row.kind === "renoise") {
      noise.push({ row, index });
      continue;
    }
    const last = phases.at(-1);
    if (last?.model === row.model) last.rows.push(...noise, { row, index });
    else phases.push({ model: row.model, rows: [...noise, { row, index }] });
    noise = [];
  }
  phases.at(-1)?.rows.push(...noise);
  return phases;
}

/**
 * Runs a phase over a group. All samples of the group are at the same row, so that a row can use all of them. Rows that the cache has are
 * not computed: their events come from it. Returns the samples that are left, fewer where a row chooses among them.
 */
export async function* denoise(
  run: Run,
  phase: Phase,
  all: readonly Sample[],
): AsyncGenerator<GenerateEvent, readonly Sample[], undefined> {
  const { job, bindings, timings, signal, cache } = run;
  let group = all;
  for (const { row, index } of phase.rows) {
    if (group.every(({ kept }) => index < kept.length)) {
      yield* reuse(run, row, index, group);
      continue;
    }
    if (row.kind === "renoise") {
      for (const s of group) {
        s.xt = advance(row, { xt: s.xt, rng: s.rng, state: s.state }).xt;
        if (cache) keepRow(run, s, row, index, null, cache);
      }
      continue;
    }
    const { network, denoiser } = bindings(row.model);
    const milliseconds = await network.load(shapeOf(run, group), denoiser?.stack ?? null);
    if (milliseconds > 0) yield { type: "loaded", network: row.model, milliseconds };
    const left: Sample[] = [];
    for (const unit of unitsOf(run, group)) {
      if (noiseOptimisationOf(row)) await optimised(run, row, index, unit);
      const outputs: FloatTensor[] = [];
      for (let at = 0; at < unit.length; at += job.batch) {
        signal?.throwIfAborted();
        const start = performance.now();
        outputs.push(...(await predict(run, row, index, unit.slice(at, at + job.batch))));
        timings.denoise += performance.now() - start;
      }
      signal?.throwIfAborted();
      const changed = await groupOutputs(
        row,
        unit.flatMap(({ xt }, i) => (outputs[i] ? [{ xt, output: outputs[i] }] : [])),
        pullOf(run),
      );
      const x0: FloatTensor[] = [];
      for (const [i, s] of unit.entries()) {
        const { xt } = s;
        const output = changed[i];
        if (!output) throw new RangeError(`row ${index} has no output for seed ${s.seed}`);
        const stepped = advance(row, { xt, output, rng: s.rng, state: s.state });
        s.xt = await finite(stepped.xt, callOf(run, row, index));
        s.state = stepped.state;
        x0.push(stepped.x0);
        if (cache) keepRow(run, s, row, index, stepped.x0, cache);
        const following = unit.length - 1 - i;
        yield stepEvent(run, row, index, s, { xt, x0: stepped.x0, next: s.xt, following });
      }
      left.push(...(row.choice ? yield* choose(run, row.choice, index, unit, x0) : unit));
    }
    group = left;
  }
  return group;
}

/** @throws RangeError when called in a run whose plan has no hook on image features */
function pullOf({ gradients, timings }: Run): FeaturePull {
  return async (...given) => {
    if (!gradients) throw new RangeError("the run has no gradients of image features");
    const start = performance.now();
    const pulled = await gradients.pull(...given);
    timings.denoise += performance.now() - start;
    return pulled;
  };
}

/** Gradients are loaded where they are asked for: pages would load them for nothing. */
async function optimised(...call: Parameters<typeof optimiseNoise>): Promise<void> {
  const { optimiseNoise } = await import("./optimise-noise.js");
  await optimiseNoise(...call);
}

/** The samples of a prompt that a row keeps. */
async function* choose(
  run: Run,
  choice: Choice,
  row: number,
  unit: readonly Sample[],
  x0: readonly FloatTensor[],
): AsyncGenerator<GenerateEvent, readonly Sample[], undefined> {
  const start = performance.now();
  const kept = await chosen(run, choice, unit, x0);
  run.timings.denoise += performance.now() - start;
  yield { type: "chosen", row, prompt: unit[0]?.prompt ?? 0, of: unit.length, seeds: kept.map((s) => s.seed) };
  return kept;
}

/** Samples that a row takes in together: a batch, or all of a prompt where they depend on each other. */
function unitsOf({ job }: Run, group: readonly Sample[]): Sample[][] {
  const units: Sample[][] = [];
  const together = isGrouped(job.plan);
  for (const sample of group) {
    const last = units.at(-1);
    const fits = together ? last?.[0]?.prompt === sample.prompt : last && last.length < job.batch;
    if (last && fits) last.push(sample);
    else units.push([sample]);
  }
  return units;
}

/** Takes the samples of a group to the state after a row that the cache has. */
function* reuse(run: Run, row: Row, index: number, group: readonly Sample[]): Generator<GenerateEvent> {
  for (const [i, s] of group.entries()) {
    const state = s.kept[index];
    if (!state) continue;
    const { xt } = s;
    resume(s, state);
    const following = group.length - 1 - i;
    if (row.kind === "step" && state.x0) {
      yield stepEvent(run, row, index, s, { xt, x0: state.x0, next: s.xt, following });
    }
  }
}

function stepEvent(
  { job }: Run,
  { model, timestep, from, to }: StepRow,
  index: number,
  { prompt, seed }: Sample,
  latents: Pick<StepEvent, "xt" | "x0" | "next" | "following">,
): StepEvent {
  const steps = job.plan.rows.flatMap((row, i) => (row.kind === "step" ? [i] : []));
  const place = { row: index, step: steps.indexOf(index), steps: steps.length };
  return { type: "step", ...place, model, timestep, from, to, ...latents, prompt, seed };
}
