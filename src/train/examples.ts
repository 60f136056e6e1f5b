/** Examples of a run: images encoded to latents and captions to conditioning, once, before the first update. */
import { createEncoder, type LatentDistribution } from "../decode/index.js";
import { RequestError } from "../errors.js";
import type { Pair } from "../generate/index.js";
import type { Conditioning, ImageSize } from "../models/index.js";
import type { ModelName } from "../sampling/index.js";
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
  /** Model that reads the captions, in the length that it was trained with. Default: the base. */
  readonly on?: ModelName | undefined;
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

/** A prompt as a model of a pair reads it: in the length of text that it was trained with, where the text encoders can give several. */
export const encodeCaption = (pair: Pick<Pair, "text" | ModelName>, caption: string, on: ModelName = "base") =>
  pair.text.encode(caption, 0, undefined, undefined, pair[on]?.denoiser.textTokens);

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

/** Sizes that a run's images may have. @throws RequestError for a size beyond the positions that the model knows, or one that is no size of its images */
export function sizesOf(
  pair: Pair,
  { size = pair.size, crop = false }: Pick<EncodeOptions, "size" | "crop">,
): readonly ImageSize[] {
  const { multiple, longest = Number.POSITIVE_INFINITY } = pair.base.denoiser;
  const fits = ({ width, height }: ImageSize) => Math.max(width, height) <= longest;
  if (!fits(size))
    throw new RequestError(
      `--size ${size.width}x${size.height}: ${pair.base.ref} has position embeddings for at most ${longest} pixels a side`,
    );
  if (crop && (size.width % multiple !== 0 || size.height % multiple !== 0))
    throw new RequestError(`--size ${size.width}x${size.height}: expected multiples of ${multiple} pixels`);
  return crop ? [size] : bucketsOf(size, multiple).filter(fits);
}

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
      const conditioning = await encodeCaption(pair, caption, o.on);
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
