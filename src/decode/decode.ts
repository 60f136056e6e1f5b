/** Decodes latents to images, in one piece where the memory budget allows, else in tiles. */
import { RequestError } from "../errors.js";
import { areFinite, type Call, finite } from "../networks/index.js";
import { type FloatTensor, float, type RgbImage, sample, stack, toRgb } from "../tensor/index.js";
import type { Decoder, LatentSize } from "./decoder.js";
import type { TileProgress } from "./tiled-decoder.js";

/** Options of decoding. */
export interface DecodeOptions {
  /** Memory budget in bytes. */
  readonly memoryBudget: number;
  /** Bytes that are known to be free. Default: a quarter of the budget. */
  readonly free?: number | undefined;
  /** Longer side of a tile in latents; "off" disables tiling. Default: tiles where the memory budget requires them. */
  readonly tile?: number | "off" | undefined;
}

/** Most pixels of one decoder call: the decoder needs far more memory per pixel than the denoiser per latent. */
const PIXELS_PER_CALL = 512 * 512;

/** Share of the memory budget above which a decoder call is tiled, where it is not known what is free. The rest is for loaded weights. */
const DECODER_SHARE = 1 / 4;
/** Default side of a tile in pixels: SDXL's decoder then needs 0.4 GB beside the feature maps of the image. */
const TILE_PIXELS = 256;

/** Batch size of a decoder call: as many samples as have 512 × 512 pixels together, at least 1. */
export function decoderBatch({ config }: Decoder, { height, width }: LatentSize): number {
  return Math.max(1, Math.floor(PIXELS_PER_CALL / (height * width * config.scaleFactor ** 2)));
}

/** Side of the tiles in latents; null where the image is decoded in one piece. */
export async function tileSide(
  decoder: Decoder,
  size: LatentSize,
  { memoryBudget, tile, free = 0 }: DecodeOptions,
): Promise<number | null> {
  const longest = Math.max(size.height, size.width);
  if (typeof tile === "number") return tile < longest ? tile : null;
  if (tile === "off") return null;
  const whole = await decoder.network.workingBytes(size, 1);
  return whole <= Math.max(free, DECODER_SHARE * memoryBudget)
    ? null
    : Math.ceil(TILE_PIXELS / decoder.config.scaleFactor);
}

/**
 * Decodes latents [B, C, h, w] in the denoiser's scale to B images of h·f × w·f pixels, f the VAE scale factor.
 * @throws RequestError when the latents contain NaN or infinity; NonFiniteError when the decoder's output does
 */
export async function decodeLatents(
  decoder: Decoder,
  latents: FloatTensor,
  options: DecodeOptions,
): Promise<RgbImage[]> {
  const [batch = 1, , height = 1, width = 1] = latents.shape;
  const side = await tileSide(decoder, { height, width }, options);
  const together = decoderBatch(decoder, { height, width });
  const images: RgbImage[] = [];
  for (let at = 0; at < batch; at += together) {
    const some = Array.from({ length: Math.min(together, batch - at) }, (_, i) => sample(latents, at + i));
    for await (const result of decodeCall(decoder, stack(some), side)) if (!("done" in result)) images.push(result);
  }
  return images;
}

/** Decodes in one call, or with `side` in tiles of that many latents. Yields the images, and progress after each tile. */
export async function* decodeCall(
  decoder: Decoder,
  latents: FloatTensor,
  side: number | null,
): AsyncGenerator<TileProgress | RgbImage, void, undefined> {
  const [batch = 1, , height = 1, width = 1] = latents.shape;
  const z = decoderLatents(decoder, latents);
  if (!areFinite(z.data)) throw new RequestError("the latents contain NaN or infinity; expected finite values");
  const call: Call = { network: "the decoder", at: "its output", weights: decoder.weights };
  if (side === null) {
    const { outputs } = await decoder.network.run({ height, width }, { latents: z });
    const pixels = await finite(outputs["image"], call);
    for (let i = 0; i < batch; i++) yield toRgb(pixels, i);
    return;
  }
  for (let i = 0; i < batch; i++) {
    yield toRgb(await finite(yield* decoder.inTiles(sample(z, i), side), call), 0);
  }
}

/** Converts latents [B, C, h, w] from the denoiser's scale to the decoder's: z = latent · std / scale + mean + shift per channel. */
export function decoderLatents({ scaling: { scale, shift, mean, std } }: Decoder, latents: FloatTensor): FloatTensor {
  const [, channels = 1, height = 1, width = 1] = latents.shape;
  const plane = height * width;
  return float(
    latents.shape,
    latents.data.map((v, i) => {
      const c = Math.floor(i / plane) % channels;
      return (v * (std?.[c] ?? 1)) / scale + (mean?.[c] ?? 0) + shift;
    }),
  );
}

/** Gradient towards latents [B, C, h, w] in the denoiser's scale, from that towards latents in the decoder's. */
export function latentGradient({ scaling: { scale, std } }: Decoder, gradient: FloatTensor): FloatTensor {
  const [, channels = 1, height = 1, width = 1] = gradient.shape;
  const plane = height * width;
  return float(
    gradient.shape,
    gradient.data.map((v, i) => (v * (std?.[Math.floor(i / plane) % channels] ?? 1)) / scale),
  );
}
