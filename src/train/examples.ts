/** Examples of a run: images encoded to latents and captions to conditioning, once, before the first update. */
import { createEncoder, type LatentDistribution } from "../decode/index.js";
import type { Pair } from "../generate/index.js";
import type { Conditioning, ImageSize } from "../models/index.js";
import { type FloatTensor, float, type RgbImage, type Rng } from "../tensor/index.js";
import { bucketFor, bucketsOf, covering, mirrored } from "./buckets.js";

/** An image with its caption. */
export interface CaptionedImage {
  /** Name for messages. */
  readonly file: string;
  readonly caption: string;
  readonly image: RgbImage;
}

/** An encoded image with its encoded caption. */
export interface Example {
  readonly size: ImageSize;
  /** The image's latents, and those of its mirror image where that is trained on too. */
  readonly latents: readonly [LatentDistribution, ...LatentDistribution[]];
  readonly conditioning: Conditioning;
}

export interface EncodeOptions {
  /** Size of the images, or with buckets their area. Default: the pair's. */
  readonly size?: ImageSize | undefined;
  /** Crops every image to `size`, instead of to the bucket nearest to its shape. */
  readonly crop?: boolean | undefined;
  /** Encodes the mirror images too. */
  readonly flip?: boolean | undefined;
  readonly onImage?: (done: number, total: number) => void;
  /** Called for a caption that is longer than the text encoders read. */
  readonly onTruncated?: (caption: string) => void;
  readonly signal?: AbortSignal;
}

/** Latents of an image [1, C, h, w], drawn from their distribution. */
export function drawnLatents({ latents }: Example, random: () => number, rng: Rng): FloatTensor {
  const { mean, std } = latents[Math.floor(random() * latents.length)] ?? latents[0];
  const z = rng.randn(mean.shape);
  return float(
    mean.shape,
    mean.data.map((v, i) => v + (std.data[i] ?? 0) * (z.data[i] ?? 0)),
  );
}

/** Key of an example's size. */
export const sizeKey = (example: Example | undefined): string => `${example?.size.width} × ${example?.size.height}`;

/** Indices of examples by size. */
export function bySize(examples: readonly Example[]): number[][] {
  const groups = new Map<string, number[]>();
  for (const [i, example] of examples.entries()) {
    const key = sizeKey(example);
    groups.set(key, [...(groups.get(key) ?? []), i]);
  }
  return [...groups.values()];
}

/** Sizes that a run's images may have. */
export const sizesOf = (
  pair: Pair,
  { size = pair.size, crop = false }: Pick<EncodeOptions, "size" | "crop">,
): readonly ImageSize[] => (crop ? [size] : bucketsOf(size, pair.base.denoiser.multiple));

/** The size that an image is brought to. */
export const sizeFor = (image: ImageSize, sizes: readonly ImageSize[]): ImageSize => bucketFor(image, sizes);

/** Images of a run: those that are learned, and those of their class that the model is to keep (prior preservation). */
export interface TrainingImages {
  readonly examples: readonly Example[];
  /** At each size of `examples`; empty without prior preservation. */
  readonly priors: readonly Example[];
}

/**
 * Encodes images and captions. The encoder is released afterwards.
 * @param images those that are learned
 * @param ofClass those of their class; empty without prior preservation
 * @throws RequestError, NonFiniteError as `createEncoder`
 */
export async function encodeImages(
  pair: Pair,
  images: readonly CaptionedImage[],
  ofClass: readonly CaptionedImage[],
  o: EncodeOptions,
): Promise<TrainingImages> {
  const sizes = sizesOf(pair, o);
  const own = images.map((each) => ({ ...each, size: sizeFor(each.image, sizes) }));
  const used = new Map(own.map(({ size }) => [`${size.width} × ${size.height}`, size]));
  const kept = ofClass.flatMap((each) => [...used.values()].map((size) => ({ ...each, size })));
  const encoder = createEncoder(pair.engine.runtime, pair.decoder);
  const found: Example[] = [];
  const truncated = new Set<string>();
  try {
    for (const { caption, image, size } of [...own, ...kept]) {
      o.signal?.throwIfAborted();
      o.onImage?.(found.length, own.length + kept.length);
      const conditioning = await pair.text.encode(caption, 0);
      if (conditioning.truncated > 0 && !truncated.has(caption)) o.onTruncated?.(caption);
      truncated.add(caption);
      const fitted = covering(image, size);
      const plain = await encoder.encode(fitted);
      const latents = o.flip ? ([plain, await encoder.encode(mirrored(fitted))] as const) : ([plain] as const);
      found.push({ size, latents, conditioning });
    }
  } finally {
    await encoder.release();
  }
  return { examples: found.slice(0, own.length), priors: found.slice(own.length) };
}
