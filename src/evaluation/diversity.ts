/** Diversity of images in memory: mean pairwise distances between the images of each prompt, by name. */
import { RequestError } from "../errors.js";
import type { ClipScorer } from "../instruments/index.js";
import { cosineDistance, type Estimate, meanDistance, pairwise, rootMeanSquare } from "../metrics/index.js";
import type { FloatTensor, RgbImage } from "../tensor/index.js";

/** An image whose diversity is measured. */
export interface DiverseImage extends RgbImage {
  /** Images with the same prompt are compared with each other. */
  readonly prompt?: string;
  /** Final latents, [1, C, h, w]. */
  readonly latents?: FloatTensor;
}

/** Mean pairwise distances with 95 % intervals; each is larger when images differ more, and 0 when they are equal. */
export interface Diversity {
  /** Root mean square difference of pixels in 0…1. */
  readonly pixels: Estimate;
  /** Root mean square difference of latents; null if an image has none. */
  readonly latents: Estimate | null;
  /** 1 − cosine similarity of CLIP image features, 0…2, as `compare` reports it; null without a CLIP. */
  readonly clip: Estimate | null;
}

/**
 * Measures the diversity of images.
 * @param images one list, in which images with the same `prompt` are compared (all, if they have none), or one list for each prompt
 * @param instruments the CLIP to measure with, such as the result of `openEvaluator`; null or {}: pixels and latents only
 * @throws RequestError when no prompt has two images, or images of one prompt have different sizes
 */
export async function diversity(
  images: readonly DiverseImage[] | readonly (readonly DiverseImage[])[],
  instruments: { readonly clip?: ClipScorer } | null = null,
): Promise<Diversity> {
  const groups = groupsOf(images).filter((group) => group.length > 1);
  if (groups.length === 0) throw new RequestError("diversity needs at least two images of one prompt");
  for (const [first, ...others] of groups) {
    const other = others.find(({ width, height }) => width !== first?.width || height !== first.height);
    if (!first || !other) continue;
    throw new RequestError(
      `images of one prompt have different sizes: ${first.width} × ${first.height} and ${other.width} × ${other.height}`,
    );
  }
  const latents = groups.map((group) => group.flatMap((image) => image.latents?.data ?? []));
  const complete = latents.every((found, p) => found.length === groups[p]?.length);
  const clip = instruments?.clip;
  const features = [];
  for (const group of clip ? groups : []) features.push((await clip?.images(group)) ?? []);
  return {
    pixels: distance(
      groups.map((group) => group.map(pixelsOf)),
      rootMeanSquare,
    ),
    latents: complete ? distance(latents, rootMeanSquare) : null,
    clip: clip ? distance(features, cosineDistance) : null,
  };
}

type Features = Float32Array;

const distance = (groups: readonly (readonly Features[])[], of: (a: Features, b: Features) => number): Estimate =>
  meanDistance(groups.map((features) => pairwise(features, of)));

const pixelsOf = ({ data }: RgbImage): Features => Float32Array.from(data, (v) => v / 255);

/** Lists of images as they are; a single list by prompt. */
function groupsOf(images: readonly DiverseImage[] | readonly (readonly DiverseImage[])[]): DiverseImage[][] {
  const groups = new Map<string | number, DiverseImage[]>();
  for (const [i, item] of images.entries()) {
    const [key, some] = "data" in item ? [item.prompt ?? "", [item]] : [i, item];
    groups.set(key, [...(groups.get(key) ?? []), ...some]);
  }
  return [...groups.values()];
}
