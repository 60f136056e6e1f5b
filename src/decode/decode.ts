/** Latents to images: whole where the memory allows, else in tiles. */
import { finite } from "../networks/index.js";
import { type FloatTensor, float, type RgbImage, sample, stack, toRgb } from "../tensor/index.js";
import type { Decoder, LatentSize } from "./decoder.js";
import type { TileProgress } from "./tiled-decoder.js";

/** How latents are decoded. */
export interface DecodeOptions {
  /** Bytes that a run may take. */
  readonly memoryBudget: number;
  /** Latents on the longer side of a tile; "off": never in tiles. Default: tiles where the memory budget asks for them. */
  readonly tile?: number | "off" | undefined;
}

/** Pixels that one decoder call takes: the decoder needs far more memory for a pixel than the denoiser for a latent. */
const PIXELS_PER_CALL = 512 * 512;

/** Share of the memory budget that a decoder may work in before it is given tiles: the rest is for weights that stay loaded. */
const DECODER_SHARE = 1 / 4;
/** Pixels on a tile's side where none is asked for: SDXL's decoder then works in 0.4 GB beside the image's maps. */
const TILE_PIXELS = 256;

/** Samples that one decoder call takes. */
export function decoderBatch({ config }: Decoder, { height, width }: LatentSize): number {
  return Math.max(1, Math.floor(PIXELS_PER_CALL / (height * width * config.scaleFactor ** 2)));
}

/** Latents on a tile's side, or null where the image is decoded whole. */
export async function tileSide(
  decoder: Decoder,
  size: LatentSize,
  { memoryBudget, tile }: DecodeOptions,
): Promise<number | null> {
  const longest = Math.max(size.height, size.width);
  if (typeof tile === "number") return tile < longest ? tile : null;
  if (tile === "off") return null;
  const whole = await decoder.network.workingBytes(size, 1);
  return whole <= DECODER_SHARE * memoryBudget ? null : Math.ceil(TILE_PIXELS / decoder.config.scaleFactor);
}

/** Latents [B, C, h, w] in the denoiser's scale → B images of h·f × w·f pixels. @throws NonFiniteError */
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
    for await (const made of decodeCall(decoder, stack(some), side)) if (!("done" in made)) images.push(made);
  }
  return images;
}

/** The same in one call, or in tiles of `side` latents with their progress. */
export async function* decodeCall(
  decoder: Decoder,
  latents: FloatTensor,
  side: number | null,
): AsyncGenerator<TileProgress | RgbImage, void, undefined> {
  const [batch = 1, , height = 1, width = 1] = latents.shape;
  const z = finite(unscaled(decoder, latents), "the denoiser", "the end of the run");
  if (side === null) {
    const { outputs } = await decoder.network.run({ height, width }, { latents: z });
    const pixels = finite(outputs["image"], "the decoder", "its output");
    for (let i = 0; i < batch; i++) yield toRgb(pixels, i);
    return;
  }
  for (let i = 0; i < batch; i++) {
    yield toRgb(finite(yield* decoder.inTiles(sample(z, i), side), "the decoder", "its output"), 0);
  }
}

/** From the denoiser's scale to the decoder's: z = latent · std / scale + mean + shift, channel by channel. */
function unscaled({ scaling: { scale, shift, mean, std } }: Decoder, latents: FloatTensor): FloatTensor {
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
