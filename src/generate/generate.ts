/** The sampling loop: a pair and a request → events. */
import { decodeCall, decoderBatch, tileSide } from "../decode/index.js";
import { actsOnFeatures, hooksOf, initialLatents, initialNoise, isGrouped, noiseHooksOf } from "../sampling/index.js";
import { createRng, type RgbImage, stack } from "../tensor/index.js";
import { bindModels } from "./bindings.js";
import type { GenerateCache } from "./cache.js";
import { choiceNotices } from "./choose.js";
import { promptEncoder } from "./conditioning.js";
import { denoise, phasesOf } from "./denoise.js";
import type { GenerateEvent } from "./events.js";
import { fitToMemory } from "./fit.js";
import type { ImageGradients } from "./image-gradients.js";
import { type Job, jobFor } from "./job.js";
import type { Pair } from "./pair.js";
import type { GenerateRequest } from "./request.js";
import { keptRows, startKey } from "./reuse.js";
import type { Run } from "./run.js";
import { type Sample, type SampleKey, textLength } from "./sample.js";

/**
 * Generates one image for each prompt and seed. Samples run in batches, each with its own random generator: a seed gives the same image
 * alone or in a batch, up to the rounding of the networks. Leaving the loop early, or aborting `signal`, stops after the current model call.
 *
 * @param cache results of this pair's earlier runs, which are used again; see `createGenerateCache`
 * @throws RequestError before anything is loaded; MachineError when a model cannot run; NonFiniteError when a network gives NaN;
 * `signal.reason` when aborted
 * @example
 * for await (const event of generate(pair, { prompts: ["a harbour at dawn"], seeds: [0, 1] })) {
 *   if (event.type === "image") console.log(event.seed, event.image.width, event.image.height);
 * }
 */
export async function* generate(
  pair: Pair,
  request: GenerateRequest,
  signal?: AbortSignal,
  cache: GenerateCache | null = null,
): AsyncGenerator<GenerateEvent, void, undefined> {
  const { job, why } = await fitToMemory(pair, await jobFor(pair, request, cache));
  signal?.throwIfAborted();
  const choice = job.plan.rows.flatMap((row) => (row.kind === "step" && row.choice ? [row.choice] : []))[0];
  for (const text of choice ? await choiceNotices(pair, choice) : []) yield { type: "notice", text };
  for (const text of job.notices) yield { type: "notice", text };
  if (why.length > 0) yield { type: "adjusted", offload: job.offload, batch: job.batch, why };
  const timings = { calls: 0, images: 0, encode: 0, denoise: 0, decode: 0 };
  // Where samples of a prompt depend on each other, the state of one follows from all of them.
  const reused = isGrouped(job.plan) ? null : cache;
  const gradients = await imageGradients(pair, job);
  const shared = { pair, job, timings, signal, cache: reused, gradients };
  const run: Run = { ...shared, bindings: bindModels(pair, job), encoded: new Set() };
  try {
    const encode = promptEncoder(run);
    for (const keys of portionsOf(job)) {
      const samples = yield* begin(run, keys, encode);
      if (job.offload === "sequential") {
        await pair.text.release();
        yield { type: "released", network: "text encoders" };
      }
      for (const group of groupsOf(run, samples)) yield* runGroup(run, group);
    }
  } finally {
    // Networks of an aborted run must not stay loaded beside those of the next run.
    if (job.offload === "sequential") await releaseAll(run);
    await gradients?.release();
  }
  if (job.offload === "sequential") yield { type: "released", network: "decoder" };
  const { calls, images, ...milliseconds } = timings;
  yield { type: "done", images, calls, milliseconds };
}

/** Gradients are loaded where they are asked for: pages would load them for nothing. */
async function imageGradients(pair: Pair, { plan, size }: Job): Promise<ImageGradients | null> {
  if (!plan.rows.some((row) => row.kind === "step" && hooksOf(row).some(actsOnFeatures))) return null;
  const { openImageGradients } = await import("./image-gradients.js");
  return openImageGradients(pair, size);
}

/** Batches of a portion: enough to fill batches with samples that can run together. */
const BATCHES = 4;

/**
 * Splits the samples of a job into portions that run one after another, so that memory does not grow with their number. With offload
 * `sequential` all are one portion; where samples of a prompt depend on each other, or on the prompt's noise, a portion has whole prompts.
 */
function portionsOf({ samples, plan, batch, offload }: Job): SampleKey[][] {
  if (offload === "sequential") return [[...samples]];
  const whole = isGrouped(plan) || noiseHooksOf(plan).length > 0;
  const portions: SampleKey[][] = [];
  for (const key of samples) {
    const last = portions.at(-1);
    const fits = last && (last.length < BATCHES * batch || (whole && last.at(-1)?.prompt === key.prompt));
    if (fits) last.push(key);
    else portions.push([key]);
  }
  return portions;
}

/** Encodes the prompts of samples and creates the samples with their initial latents. */
async function* begin(
  run: Run,
  keys: readonly SampleKey[],
  conditioningOf: ReturnType<typeof promptEncoder>,
): AsyncGenerator<GenerateEvent, Sample[], undefined> {
  const { pair, job, timings, signal, cache, encoded } = run;
  const start = performance.now();
  const shape = pair.base.denoiser.latents(job.size);
  const samples: Sample[] = [];
  for (const key of keys) {
    const { conditioning, truncated } = await conditioningOf(key);
    const rng = createRng(key.seed);
    const place = startKey(run, key, shape);
    samples.push({
      ...key,
      conditioning,
      rng,
      xt: rng.randn(shape),
      momentum: null,
      state: undefined,
      place,
      kept: [],
    });
    signal?.throwIfAborted();
    if (encoded.has(key.prompt)) continue;
    encoded.add(key.prompt);
    yield { type: "encoded", prompt: key.prompt, truncated };
  }
  for (const prompt of new Set(samples.map((s) => s.prompt))) {
    const own = samples.filter((s) => s.prompt === prompt);
    const noises = initialNoise(
      noiseHooksOf(job.plan),
      own.map(({ seed, xt }) => ({ seed, noise: xt })),
    );
    for (const [i, s] of own.entries()) s.xt = initialLatents(job.plan, noises[i] ?? s.xt);
  }
  if (cache) for (const sample of samples) sample.kept = keptRows(run, sample, cache);
  timings.encode += performance.now() - start;
  // With offload `sequential` all samples go through the rows together, so that each model is loaded once.
  const fewest = samples.reduce((n, { kept }) => Math.min(n, kept.length), Number.POSITIVE_INFINITY);
  if (job.offload === "sequential") for (const sample of samples) sample.kept = sample.kept.slice(0, fewest);
  return samples;
}

/**
 * Splits samples into groups that run together: those with text of one length, for which one session serves, and with as many rows from the
 * cache. With offload `sequential` that is all, otherwise batches, so that images appear batch by batch; where samples of a prompt depend on
 * each other, all of a prompt.
 */
function groupsOf({ job }: Run, samples: readonly Sample[]): Sample[][] {
  const together = isGrouped(job.plan);
  const most = job.offload === "sequential" || together ? samples.length : job.batch;
  const groups: Sample[][] = [];
  for (const sample of samples) {
    const last = groups.findLast(([first]) => first && isAlike(first, sample));
    const one = !together || job.offload === "sequential" || last?.[0]?.prompt === sample.prompt;
    if (last && one && last.length < most) last.push(sample);
    else groups.push([sample]);
  }
  return groups;
}

const isAlike = (a: Sample, b: Sample): boolean => textLength(a) === textLength(b) && a.kept.length === b.kept.length;

async function* runGroup(run: Run, group: readonly Sample[]): AsyncGenerator<GenerateEvent, void, undefined> {
  let left = group;
  for (const phase of phasesOf(run.job.plan)) {
    left = yield* denoise(run, phase, left);
    if (run.job.offload !== "sequential") continue;
    await run.bindings(phase.model).network.release();
    yield { type: "released", network: phase.model };
  }
  yield* decode(run, left);
}

async function releaseAll({ pair, job, bindings }: Run): Promise<void> {
  await pair.text.release();
  for (const { model } of phasesOf(job.plan)) await bindings(model).network.release();
  await pair.decoder.network.release();
}

/** Decodes latents to images, in batches that suit their size. */
async function* decode(run: Run, group: readonly Sample[]): AsyncGenerator<GenerateEvent, void, undefined> {
  const { pair, job, timings, signal } = run;
  const [, , height = 1, width = 1] = group[0]?.xt.shape ?? [];
  const side = await tileSide(pair.decoder, { height, width }, { ...pair.engine, tile: job.tile, free: job.free });
  const loading = side === null ? await pair.decoder.network.load({ height, width }) : 0;
  if (loading > 0) yield { type: "loaded", network: "decoder", milliseconds: loading };
  const together = decoderBatch(pair.decoder, { height, width });
  for (let at = 0; at < group.length; at += together) {
    signal?.throwIfAborted();
    const some = group.slice(at, at + together);
    const start = performance.now();
    const images: RgbImage[] = [];
    for await (const made of decodeCall(pair.decoder, stack(some.map((s) => s.xt)), side)) {
      signal?.throwIfAborted();
      const { prompt = 0, seed = 0 } = some[images.length] ?? {};
      if ("done" in made) yield { type: "tile", ...made, prompt, seed };
      else images.push(made);
    }
    timings.decode += performance.now() - start;
    for (const [i, { xt, prompt, seed }] of some.entries()) {
      const image = images[i];
      // With offload "sequential" a group holds all samples, and the denoisers run them in batches.
      const first = Math.floor((at + i) / job.batch) * job.batch;
      const shared = isGrouped(job.plan)
        ? group.filter((s) => s.prompt === prompt)
        : group.slice(first, first + job.batch);
      const batch = shared.map((s) => ({ prompt: s.prompt, seed: s.seed }));
      const perCall = Math.min(job.batch, batch.length);
      if (image) timings.images++;
      const following = some.length - 1 - i;
      if (image) yield { type: "image", image, latents: xt, batch, perCall, following, prompt, seed };
    }
  }
}
