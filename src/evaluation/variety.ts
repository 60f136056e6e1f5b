/** Variety of a model's images: how far the images of one prompt are from each other, by CLIP or, without one, by pixels and latents. */
import {
  type Distances,
  type Estimate,
  meanDistance,
  meanPairwise,
  pairwise,
  ratioEstimate,
  rootMeanSquare,
} from "../metrics/index.js";
import type { FloatTensor, RgbImage } from "../tensor/index.js";
import type { Reading } from "./evaluator.js";

/** clip: 1 − cosine of CLIP features, 0…2. pixels: root mean square difference of pixel values, 0…1. latents: the same of final latents. */
export type VarietyMeasure = "clip" | "pixels" | "latents";

/** Variety of one model's images. */
export interface Variety {
  readonly measure: VarietyMeasure;
  /** Mean distance between the images of a prompt, over prompts; null where no prompt has two images. */
  readonly distance: Estimate | null;
  /** Mean distance of each prompt's images; null for a prompt with one image. */
  readonly perPrompt: readonly (number | null)[];
  /** Distance as a share of the reference model's; null without a reference or without distances. */
  readonly share: Estimate | null;
}

/** Root mean square difference of two images of one size, as a share of the range of pixel values. a, b: values of 0…255 */
export function pixelDistance(a: Uint8Array, b: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += ((a[i] ?? 0) - (b[i] ?? 0)) ** 2;
  return Math.sqrt(sum / a.length) / 255;
}

/** Pairwise distances of the images of each prompt. images[p][i]: image i of prompt p; reading: their CLIP features, for "clip". */
export const distancesOf = (images: readonly (readonly RgbImage[])[], reading: Reading | null): readonly Distances[] =>
  reading
    ? reading.features.map((own) => pairwise(own))
    : images.map((own) =>
        pairwise(
          own.map((image) => image.data),
          pixelDistance,
        ),
      );

/** Pairwise distances of the final latents of each prompt's images. latents[p][i]: [1, C, h, w] */
export const latentDistancesOf = (latents: readonly (readonly FloatTensor[])[]): readonly Distances[] =>
  latents.map((own) =>
    pairwise(
      own.map(({ data }) => data),
      rootMeanSquare,
    ),
  );

/** Variety from the pairwise distances of each prompt's images, also as a share of a reference's distances for the same prompts and seeds. */
export function varietyOf(
  measure: VarietyMeasure,
  distances: readonly Distances[],
  reference: readonly Distances[] | null,
): Variety {
  const finite = (e: Estimate): Estimate | null => (Number.isFinite(e.mean) ? e : null);
  const perPrompt = distances.map((d) => (d.length > 1 ? meanPairwise(d) : null));
  return {
    measure,
    distance: finite(meanDistance(distances)),
    perPrompt,
    share: reference && finite(ratioEstimate(distances.map(meanPairwise), reference.map(meanPairwise))),
  };
}
