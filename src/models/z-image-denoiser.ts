/** The transformer of Z-Image as a denoiser. */
import { RequestError } from "../errors.js";
import { float, stack } from "../tensor/index.js";
import type { Conditioning, Denoiser, DenoiserShape } from "./denoiser.js";
import { PATCH } from "./patches.js";
import { textMask, transformerDenoiser } from "./transformer-denoiser.js";
import { drawZImage, STREAM_MULTIPLE } from "./z-image.js";
import type { ZImageConfig } from "./z-image-config.js";

/** Denoiser of a Z-Image config. @param scaleFactor VAE scale factor: pixels per latent along each side */
export const zImageDenoiser = (config: ZImageConfig, scaleFactor: number): Denoiser =>
  transformerDenoiser({
    config,
    scaleFactor,
    channels: config.channels,
    patch: PATCH,
    interface: { in_channels: config.channels, out_channels: config.channels, cap_feat_dim: config.textFeatures },
    smallest: { height: PATCH, width: PATCH, tokens: STREAM_MULTIPLE },
    textFeatures: config.textFeatures,
    draw(shape, index) {
      checkPositions(config, shape);
      return drawZImage(config, index, shape);
    },
    inputs: ({ conditioning }) => ({ text_mask: stack(conditioning.map(maskColumn)) }),
  });

/** Mask [1, L, 1] of one sample's text. */
function maskColumn(conditioning: Conditioning) {
  const { shape, data } = textMask(conditioning);
  return float([...shape, 1], data);
}

/** @throws RequestError for an image or a text beyond the positions that the model knows */
function checkPositions({ axisLengths }: ZImageConfig, { height, width, tokens }: DenoiserShape): void {
  const [frames = 0, rows = 0, columns = 0] = axisLengths;
  if (height / PATCH <= rows && width / PATCH <= columns && tokens + 1 < frames) return;
  throw new RequestError(
    `an image of ${width} × ${height} latents with ${tokens} text tokens: the transformer has positions for ${columns * PATCH} × ${rows * PATCH} latents and ${frames - 2} tokens (axes_lens)`,
  );
}
