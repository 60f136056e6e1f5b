/** Changes a job until it fits the memory budget. */

import { decoderPrecision } from "../decode/index.js";
import type { Compute } from "../networks/index.js";
import type { Device } from "../runtime/index.js";
import { isTwoSided } from "../sampling/index.js";
import { count, formatBytes, type WeightIndex } from "../tensor/index.js";
import {
  addSizes,
  indexSize,
  type MemoryNeed,
  memoryUses,
  NO_WEIGHT,
  type PartSizes,
  quantisedSize,
  strategyNeeds,
  WEIGHTS,
} from "./budget.js";
import { textLengths } from "./conditioning.js";
import type { Job } from "./job.js";
import type { Model, Pair } from "./pair.js";
import type { Offload } from "./request.js";
import { castsOf, decodingBytes, type Working } from "./working.js";

/** The parts of a pair that hold weights. */
export interface WeightedParts {
  readonly text: Pick<Pair["text"], "weights">;
  readonly base: Pick<Model, "denoiser" | "weights">;
  readonly distilled: (Pick<Model, "denoiser" | "weights"> & { readonly isLora?: boolean }) | null;
  readonly decoder: Pick<Pair["decoder"], "config" | "weights">;
}

/**
 * Text encoders of at most this many parameters stay in float32 beside a denoiser in bfloat16: they run once, and in bfloat16 they would change
 * the images, by about 1 of 255 in the embedded pair (docs/precision.md).
 */
export const EXACT_TEXT = 1e9;

/** Memory of a pair under each loading strategy: for weights, and with `working` memory. */
export const memoryNeeds = async (
  parts: WeightedParts,
  compute: Compute,
  device: Device = "cpu",
  working?: Working,
): Promise<MemoryNeed[]> => strategyNeeds(await sizesOf(parts, compute, device), working);

async function sizesOf(
  { text, base, distilled, decoder }: WeightedParts,
  compute: Compute,
  device: Device,
): Promise<PartSizes> {
  // Only the denoiser is quantised: it runs at every step.
  const beside: Compute = compute === "int8" ? "float32" : compute;
  const denoiser = async (model: WeightedParts["base"]) => {
    const index = await model.weights();
    if (compute !== "int8") return indexSize(index, beside, device);
    return quantisedSize(model.denoiser.draw(model.denoiser.smallest, index));
  };
  const texts = await Promise.all(text.weights.map((weights) => weights()));
  const parameters = texts
    .flatMap(({ weights }) => [...weights.values()])
    .reduce((n, { shape }) => n + count(shape), 0);
  const ofText = compute === "bfloat16" && parameters <= EXACT_TEXT ? "float32" : beside;
  return {
    text: addSizes(texts.map((index) => indexSize(index, ofText, device))),
    base: await denoiser(base),
    distilled: distilled ? await denoiser(distilled) : NO_WEIGHT,
    decoder: indexSize(await decoder.weights(), decoderPrecision(decoder, { compute: beside }).compute, device),
    isLora: distilled?.isLora === true,
  };
}

/** Job that fits, and the changes made to it, as sentences. */
export interface FittedJob {
  readonly job: Job;
  readonly why: readonly string[];
}

/**
 * Fits a job to the pair's memory budget. If the weights of all models do not fit, one model is loaded at a time, unless the request names
 * a strategy. The batch is reduced to the working memory that is left.
 */
export async function fitToMemory(pair: Pair, job: Job): Promise<FittedJob> {
  const { memoryBudget, compute, runtime } = pair.engine;
  const each = await bytesPerSample(pair, job);
  const working = await workingOf(pair, job, each);
  const uses = memoryUses(await memoryNeeds(pair, compute, runtime.device, working), memoryBudget, pair.engine);
  const of = (offload: Offload) => uses.find((u) => u.offload === offload);
  const taken = (offload: Offload) => of(offload)?.bytes ?? 0;
  const sizes = (offload: Offload) =>
    `${formatBytes(taken(offload))} for weights, ${formatBytes(of(offload)?.peak ?? 0)} with calls`;
  const why: string[] = [];
  let { offload } = job;
  if (!job.offloadGiven && offload !== "sequential" && !of(offload)?.fits) {
    why.push(
      `all models take ${sizes(offload)}, the memory budget is ${formatBytes(memoryBudget)}: one model is loaded at a time (--offload sequential)`,
    );
    offload = "sequential";
    if (!of(offload)?.fits) {
      why.push(
        `--offload sequential takes ${sizes(offload)}: it does not fit the memory budget either; the run may be slow or run out of memory`,
      );
    }
  }
  let batch = Math.min(job.batch, Math.max(1, job.samples.length));
  if (batch > 1) {
    const most = Math.max(1, Math.floor((memoryBudget - taken(offload)) / each));
    if (most < batch) {
      why.push(
        `a batch of ${batch} takes ${formatBytes(batch * each)} of working memory: the batch is reduced to ${most}`,
      );
      batch = most;
    }
  }
  // Working memory of earlier calls stays with their sessions, except where each network is released.
  const kept = offload === "sequential" ? 0 : taken(offload) + batch * each;
  return { job: { ...job, offload, batch, free: Math.max(0, WEIGHTS * memoryBudget - kept) }, why };
}

/** Working memory of each part for one sample at the job's size. */
async function workingOf(
  { engine, text, base, distilled, decoder }: Pair,
  { size }: Job,
  each: number,
): Promise<Working> {
  // Weights are cast in calls on the processor only.
  const casts = async (weights: () => Promise<WeightIndex>) =>
    engine.runtime.device === "cpu" && engine.upcast === "per-call" ? castsOf(await weights()) : 0;
  const [, , height, width] = base.denoiser.latents(size);
  const whole = await decoder.network.workingBytes({ height, width }, 1);
  return {
    text: Math.max(...(await Promise.all(text.weights.map(casts)))),
    base: each + (await casts(base.weights)),
    distilled: distilled ? each + (await casts(distilled.weights)) : 0,
    decoder: decodingBytes(whole, size),
  };
}

/** Working memory in bytes for each sample in a call of the larger denoiser. Guidance doubles it. */
async function bytesPerSample(pair: Pair, job: Job): Promise<number> {
  const { size, plan } = job;
  const tokens = Math.max(...textLengths(pair, job));
  const guided = plan.rows.some(
    (row) => row.kind === "step" && isTwoSided(row, pair[row.model]?.denoiser.embedsGuidance === true),
  )
    ? 2
    : 1;
  const models = [pair.base, ...(pair.distilled ? [pair.distilled] : [])];
  const each = models.map(({ network, denoiser }) => {
    const [, , height, width] = denoiser.latents(size);
    return network.workingBytes({ height, width, tokens }, guided);
  });
  return Math.max(...(await Promise.all(each)));
}
