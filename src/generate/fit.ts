/** Changes a job until it fits the memory budget. */

import { decoderPrecision } from "../decode/index.js";
import type { Compute } from "../networks/index.js";
import type { Device } from "../runtime/index.js";
import { isTwoSided } from "../sampling/index.js";
import { count, formatBytes } from "../tensor/index.js";
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

/** Memory for the weights of a pair under each loading strategy. */
export const memoryNeeds = async (
  parts: WeightedParts,
  compute: Compute,
  device: Device = "cpu",
): Promise<MemoryNeed[]> => strategyNeeds(await sizesOf(parts, compute, device));

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
  const uses = memoryUses(await memoryNeeds(pair, compute, runtime.device), memoryBudget, pair.engine);
  const taken = (offload: Offload) => uses.find((u) => u.offload === offload)?.bytes ?? 0;
  const holds = (offload: Offload) => uses.find((u) => u.offload === offload)?.fits ?? false;
  const why: string[] = [];
  let { offload } = job;
  if (!job.offloadGiven && offload !== "sequential" && !holds(offload)) {
    why.push(
      `the weights of all models take ${formatBytes(taken(offload))}, the memory budget is ${formatBytes(memoryBudget)}: one model is loaded at a time (--offload sequential)`,
    );
    offload = "sequential";
    if (!holds(offload)) {
      why.push(
        `--offload sequential takes ${formatBytes(taken(offload))} for weights: it does not fit the memory budget either; the run may be slow or run out of memory`,
      );
    }
  }
  let batch = Math.min(job.batch, Math.max(1, job.samples.length));
  const each = await bytesPerSample(pair, job);
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
