/** Previews of latents: by the pair's decoder, by a TAESD, or by a linear map to RGB. */
import { type Decoder, decodeLatents, decoderBatch } from "../decode/index.js";
import { RequestError } from "../errors.js";
import type { Pair } from "../generate/index.js";
import { type OpenedPair, openDecoder } from "../open/index.js";
import { type FloatTensor, type RgbImage, resizeBicubic, stack } from "../tensor/index.js";
import type { PreviewKind } from "./request.js";
import { fitRgb, SDXL_FIT, showRgb } from "./rgb-fit.js";

/** Converts latents [1, C, h, w] to images of at most 512 pixels on the longer side, one each. */
export type Preview = (latents: readonly FloatTensor[]) => Promise<RgbImage[]>;

const LONGEST = 512;

export interface PreviewOptions {
  /** Reference to a TAESD, for "taesd". */
  readonly taesd?: string | undefined;
  /** Final latents and their decoded images: "rgb" fits its linear map to them, except for SDXL, whose map is published. */
  readonly finished?: { readonly latents: readonly FloatTensor[]; readonly images: readonly RgbImage[] };
}

/**
 * Opens a preview of latents: the pair's decoder ("vae"), a TAESD, or a linear map from latents to RGB ("rgb", the fastest).
 * @throws RequestError when an option is missing that `kind` needs
 * @example
 * const preview = await openPreview(pair, "vae");
 * const [image] = await preview([event.x0]);
 */
export async function openPreview(
  pair: OpenedPair,
  kind: PreviewKind = "vae",
  { taesd, finished = { latents: [], images: [] } }: PreviewOptions = {},
): Promise<Preview> {
  if (kind === "rgb") {
    // 0.13025 is the scaling factor of SDXL's autoencoder, and of no other published one.
    const published = pair.decoder.scaling.scale === 0.13025 && pair.base.denoiser.latents(pair.size)[1] === 4;
    if (!published && finished.images.length === 0) {
      throw new RequestError('preview "rgb" of this model needs finished latents and images, to fit its map to them');
    }
    const fit = published ? SDXL_FIT : fitRgb(finished.latents, finished.images);
    return async (latents) => latents.map((x) => showRgb(fit, x));
  }
  if (kind === "taesd" && taesd === undefined) throw new RequestError('preview "taesd" needs a reference to a TAESD');
  const decoder =
    kind === "taesd" && taesd !== undefined ? await openDecoder(pair.engine.runtime, taesd, pair.lookup) : pair.decoder;
  return (latents) => decodeReduced(pair, decoder, latents);
}

async function decodeReduced(pair: Pair, decoder: Decoder, latents: readonly FloatTensor[]): Promise<RgbImage[]> {
  const [, , height = 1, width = 1] = latents[0]?.shape ?? [];
  const batch = decoderBatch(decoder, { height, width });
  const images: RgbImage[] = [];
  for (let at = 0; at < latents.length; at += batch) {
    const some = await decodeLatents(decoder, stack(latents.slice(at, at + batch)), pair.engine);
    images.push(...some.map(reduced));
  }
  return images;
}

/** Reduces an image to at most 512 pixels on the longer side, to save memory. */
export function reduced(image: RgbImage): RgbImage {
  const scale = LONGEST / Math.max(image.width, image.height);
  if (scale >= 1) return image;
  return resizeBicubic(image, Math.round(image.width * scale), Math.round(image.height * scale));
}
