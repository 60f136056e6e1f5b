/** Chooses among the samples of a prompt after a step: those that differ most from each other and fit the prompt. */
import { decodeLatents } from "../decode/index.js";
import { RequestError } from "../errors.js";
import { bestSubset, cosineDistance, mean, meanPairwise, pairwise, rootMeanSquare } from "../metrics/index.js";
import type { Choice } from "../sampling/index.js";
import { type FloatTensor, type RgbImage, stack } from "../tensor/index.js";
import { plainText } from "../text/fields.js";
import type { Run } from "./run.js";
import type { Sample, SampleKey } from "./sample.js";

/** Images that are decoded at a time. */
const DECODED = 16;
/** Least distance of two samples that is told apart, in units of the mean distance. */
const NEAREST = 1e-3;

/**
 * The samples of a prompt that a choice keeps, in their order. The value of a set is minus the mean of (u / d)^4 over its pairs, d their
 * distance and u the mean distance of all pairs (a Riesz energy, which near pairs dominate), plus `fit` times the mean fit of its samples, in
 * units of the standard deviation of all.
 * @param x0 predicted clean latents of each sample, [1, C, h, w]
 */
export async function chosen(
  run: Run,
  { keep, by, fit }: Choice,
  samples: readonly Sample[],
  x0: readonly FloatTensor[],
): Promise<Sample[]> {
  if (keep >= samples.length) return [...samples];
  const clip = by === "clip" || fit > 0 ? await run.pair.clip() : null;
  const features = clip ? await clip.images(await imagesOf(run, x0)) : [];
  const distances =
    by === "clip"
      ? pairwise(features)
      : pairwise(
          x0.map(({ data }) => data),
          rootMeanSquare,
        );
  const unit = meanPairwise(distances);
  const energies = distances.map((row) =>
    row.map((d) => (unit > 0 ? (-2 * (unit / Math.max(d, NEAREST * unit)) ** 4) / Math.max(1, keep - 1) : 0)),
  );
  const text = clip && fit > 0 ? await clip.text(promptOf(run, samples[0])) : null;
  const fits = standardised(samples.map((_, i) => (text ? -cosineDistance(features[i] ?? text, text) : 0)));
  const kept = new Set(
    bestSubset(
      keep,
      fits.map((f) => fit * f),
      energies,
    ),
  );
  return samples.filter((_, i) => kept.has(i));
}

const promptOf = ({ job }: Run, sample: SampleKey | undefined): string =>
  plainText(job.prompts[sample?.prompt ?? 0] ?? "", job.promptSyntax);

async function imagesOf({ pair, signal }: Run, x0: readonly FloatTensor[]): Promise<RgbImage[]> {
  const images: RgbImage[] = [];
  for (let at = 0; at < x0.length; at += DECODED) {
    signal?.throwIfAborted();
    images.push(...(await decodeLatents(pair.decoder, stack(x0.slice(at, at + DECODED)), pair.engine)));
  }
  return images;
}

/** Values with mean 0 and standard deviation 1; zeros where all are equal. */
function standardised(values: readonly number[]): number[] {
  const centre = mean(values);
  const deviation = Math.sqrt(mean(values.map((v) => (v - centre) ** 2)));
  return values.map((v) => (deviation > 0 ? (v - centre) / deviation : 0));
}

/** What a reader should know of a choice before it is made. @throws RequestError for a choice by CLIP without a CLIP */
export async function choiceNotices(pair: Run["pair"], choice: Choice): Promise<string[]> {
  if (choice.by === "latents" && choice.fit === 0) return [];
  if (await pair.clip()) return [];
  if (choice.by === "clip") {
    throw new RequestError("--choose-by clip needs a CLIP, and the pair names none: name a CLIPModel with --clip", {
      field: "chooseBy",
    });
  }
  return ["--choose compares latents only: the pair names no CLIP to tell how well an image fits its prompt (--clip)"];
}
