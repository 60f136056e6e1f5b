/** Runs the rows of a plan over a group of samples: model calls in batches, then one solver step for each sample. */
import type { Conditioning } from "../models/index.js";
import { adapterScales, type Call, finite } from "../networks/index.js";
import {
  advance,
  conditioned,
  guide,
  hooksOf,
  isGuided,
  type ModelName,
  type Plan,
  type Row,
  type StepRow,
} from "../sampling/index.js";
import { type FloatTensor, sample as sampleAt, stack } from "../tensor/index.js";
import type { Bindings } from "./bindings.js";
import type { GenerateEvent } from "./events.js";
import type { Job } from "./job.js";
import type { Pair } from "./pair.js";
import { type Sample, textLength } from "./sample.js";

/** Model calls and milliseconds of a run so far. */
export interface Timings {
  calls: number;
  encode: number;
  denoise: number;
  decode: number;
}

/** State of a run that the loop needs. */
export interface Run {
  readonly pair: Pair;
  readonly job: Job;
  readonly bindings: Bindings;
  readonly timings: Timings;
  readonly signal: AbortSignal | undefined;
}

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

/** Runs a phase over a group. All samples of the group are at the same row, so that a row can use all of them. */
export async function* denoise(
  run: Run,
  phase: Phase,
  group: readonly Sample[],
): AsyncGenerator<GenerateEvent, void, undefined> {
  const { job, bindings, timings, signal } = run;
  const steps = job.plan.rows.flatMap((row, index) => (row.kind === "step" ? [index] : []));
  for (const { row, index } of phase.rows) {
    if (row.kind === "renoise") {
      for (const s of group) s.xt = advance(row, { xt: s.xt, rng: s.rng, state: s.state }).xt;
      continue;
    }
    const { network, denoiser } = bindings(row.model);
    const milliseconds = await network.load(shapeOf(run, group), denoiser?.stack ?? null);
    if (milliseconds > 0) yield { type: "loaded", network: row.model, milliseconds };
    for (let at = 0; at < group.length; at += job.batch) {
      const batch = group.slice(at, at + job.batch);
      signal?.throwIfAborted();
      const start = performance.now();
      const outputs = await predict(run, row, index, batch);
      timings.denoise += performance.now() - start;
      signal?.throwIfAborted();
      for (const [i, s] of batch.entries()) {
        const { xt } = s;
        const stepped = advance(row, { xt, output: sampleAt(outputs, i), rng: s.rng, state: s.state });
        s.xt = await finite(stepped.xt, callOf(run, row, index));
        s.state = stepped.state;
        const { prompt, seed } = s;
        const { model, timestep, from, to } = row;
        const place = { row: index, step: steps.indexOf(index), steps: steps.length };
        const latents = { xt, x0: stepped.x0, next: s.xt };
        yield { type: "step", ...place, model, timestep, from, to, ...latents, prompt, seed };
      }
    }
  }
}

/** Shape of a call for samples of one text length. */
/** Facts of a model call for messages. */
const callOf = ({ bindings }: Run, { model, timestep }: StepRow, index: number): Call => ({
  network: `the ${model} denoiser`,
  at: `row ${index} (timestep ${timestep})`,
  weights: bindings(model).model.weights,
});

function shapeOf({ pair, job }: Run, [first]: readonly Sample[]) {
  const [, , height, width] = pair.base.denoiser.latents(job.size);
  return { height, width, tokens: first ? textLength(first) : pair.text.tokens };
}

/** Conditioning of a sample at a row. Diversity methods change that of the prompt, not that of the negative prompt. */
function conditioningOf(
  { conditioning, seed }: Sample,
  row: StepRow,
  step: number,
  side: "conditional" | "unconditional",
): Conditioning[] {
  const own = conditioning.get(row.model)?.[side];
  if (!own) return [];
  return [side === "conditional" ? conditioned(hooksOf(row), own, { seed, step }) : own];
}

/** Guided predictions [B, C, h, w] of a batch. With classifier-free guidance one call holds each sample twice, the unconditional half first. */
async function predict(run: Run, row: StepRow, index: number, batch: readonly Sample[]): Promise<FloatTensor> {
  const { model, network, denoiser } = run.bindings(row.model);
  const guided = isGuided(row) && !model.denoiser.embedsGuidance;
  const twice = <T>(items: readonly T[]): readonly T[] => (guided ? [...items, ...items] : items);
  const sides = guided ? (["unconditional", "conditional"] as const) : (["conditional"] as const);
  const conditioning = sides.flatMap((side) => batch.flatMap((s) => conditioningOf(s, row, index, side)));
  const feeds = model.denoiser.inputs({
    latents: twice(batch.map((s) => s.xt)),
    timestep: row.timestep,
    conditioning,
    guidance: row.guidance,
    size: run.job.size,
  });
  if (denoiser && denoiser.stack.loraLayers.size > 0) {
    feeds["adapter_scales"] = adapterScales(twice(batch.map((s) => denoiser.scales(index, s))));
  }
  const { outputs } = await network.run(shapeOf(run, batch), feeds, denoiser?.stack ?? null);
  run.timings.calls += conditioning.length;
  const prediction = await finite(outputs["prediction"], callOf(run, row, index));
  if (!guided) return prediction;
  return stack(
    batch.map((_, i) =>
      guide(sampleAt(prediction, batch.length + i), sampleAt(prediction, i), row.guidance, row.guidanceRescale),
    ),
  );
}
