/** Latents as pictures to look at: by the pair's own decoder, by a small one, or by a straight line to colours. */
import { type Decoder, decodeLatents, decoderBatch } from "../decode/index.js";
import type { Pair } from "../generate/index.js";
import { type OpenedPair, openDecoder } from "../open/index.js";
import { type FloatTensor, type RgbImage, resizeBicubic, stack } from "../tensor/index.js";
import { fitRgb, SDXL_FIT, showRgb } from "./rgb-fit.js";

export const PREVIEWS = ["vae", "taesd", "rgb"] as const;
export type PreviewKind = (typeof PREVIEWS)[number];

/** Shows latents [1, C, h, w], one picture each, at most 512 pixels on the longer side. */
export type Preview = (latents: readonly FloatTensor[]) => Promise<RgbImage[]>;

const LONGEST = 512;

/**
 * Opens a preview.
 * @param taesd folder of the small decoder, for "taesd"
 * @param finished final latents and the pictures they became: what the straight line is fitted to, where none is published
 */
export async function openPreview(
  pair: OpenedPair,
  kind: PreviewKind,
  taesd: string | undefined,
  finished: { readonly latents: readonly FloatTensor[]; readonly images: readonly RgbImage[] },
): Promise<Preview> {
  if (kind === "rgb") {
    // 0.13025 is the scaling factor of SDXL's autoencoder and of no other that is published.
    const published = pair.decoder.scaling.scale === 0.13025 && finished.latents[0]?.shape[1] === 4;
    const fit = published ? SDXL_FIT : fitRgb(finished.latents, finished.images);
    return async (latents) => latents.map((x) => showRgb(fit, x));
  }
  const decoder =
    kind === "taesd" && taesd !== undefined ? await openDecoder(pair.engine.runtime, taesd, pair.lookup) : pair.decoder;
  return (latents) => decodeSmall(pair, decoder, latents);
}

async function decodeSmall(pair: Pair, decoder: Decoder, latents: readonly FloatTensor[]): Promise<RgbImage[]> {
  const [, , height = 1, width = 1] = latents[0]?.shape ?? [];
  const together = decoderBatch(decoder, { height, width });
  const images: RgbImage[] = [];
  for (let at = 0; at < latents.length; at += together) {
    const some = await decodeLatents(decoder, stack(latents.slice(at, at + together)), pair.engine);
    images.push(...some.map(reduced));
  }
  return images;
}

/** At most 512 pixels on the longer side: enough to look at, and a fifth of the memory of 1024. */
export function reduced(image: RgbImage): RgbImage {
  const scale = LONGEST / Math.max(image.width, image.height);
  if (scale >= 1) return image;
  return resizeBicubic(image, Math.round(image.width * scale), Math.round(image.height * scale));
}
