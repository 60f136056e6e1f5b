/** Previews of latents: by the pair's decoder, by a TAESD, or by a linear map to RGB. */
import { type Decoder, decodeLatents, decoderBatch } from "../decode/index.js";
import type { Pair } from "../generate/index.js";
import { type OpenedPair, openDecoder } from "../open/index.js";
import { type FloatTensor, type RgbImage, resizeBicubic, stack } from "../tensor/index.js";
import type { PreviewKind } from "./request.js";
import { fitRgb, SDXL_FIT, showRgb } from "./rgb-fit.js";

/** Converts latents [1, C, h, w] to images of at most 512 pixels on the longer side, one each. */
export type Preview = (latents: readonly FloatTensor[]) => Promise<RgbImage[]>;

const LONGEST = 512;

/**
 * Opens a preview.
 * @param taesd reference to a TAESD, for "taesd"
 * @param finished final latents and their decoded images, to fit the linear map where none is published
 */
export async function openPreview(
  pair: OpenedPair,
  kind: PreviewKind,
  taesd: string | undefined,
  finished: { readonly latents: readonly FloatTensor[]; readonly images: readonly RgbImage[] },
): Promise<Preview> {
  if (kind === "rgb") {
    // 0.13025 is the scaling factor of SDXL's autoencoder, and of no other published one.
    const published = pair.decoder.scaling.scale === 0.13025 && finished.latents[0]?.shape[1] === 4;
    const fit = published ? SDXL_FIT : fitRgb(finished.latents, finished.images);
    return async (latents) => latents.map((x) => showRgb(fit, x));
  }
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
