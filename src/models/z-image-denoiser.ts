/** The transformer of Z-Image as a denoiser. */
import { RequestError } from "../errors.js";
import { float, stack } from "../tensor/index.js";
import { type Denoiser, type DenoiserShape, type ImageSize, timestepsOf } from "./denoiser.js";
import { PATCH } from "./patches.js";
import { drawZImage, STREAM_MULTIPLE } from "./z-image.js";
import type { ZImageConfig } from "./z-image-config.js";

/** Size of an image in pixels that diffusers' pipeline makes by default; the config does not state one. */
const SIDE = 1024;

/** Denoiser of a Z-Image config. @param scaleFactor VAE scale factor: pixels per latent along each side */
export function zImageDenoiser(config: ZImageConfig, scaleFactor: number): Denoiser {
  const multiple = PATCH * scaleFactor;
  return {
    config,
    channels: config.channels,
    size: { width: SIDE, height: SIDE },
    multiple,
    embedsGuidance: false,
    interface: { in_channels: config.channels, out_channels: config.channels, cap_feat_dim: config.textFeatures },
    smallest: { height: PATCH, width: PATCH, tokens: STREAM_MULTIPLE },
    textFeatures: config.textFeatures,
    latents: ({ width, height }: ImageSize) => [1, config.channels, height / scaleFactor, width / scaleFactor],
    draw(shape, index) {
      checkPositions(config, shape);
      return drawZImage(config, index, shape);
    },
    inputs: ({ latents, timestep, conditioning }) => ({
      sample: stack(latents),
      timestep: timestepsOf({ latents, timestep }),
      encoder_hidden_states: stack(conditioning.flatMap((c) => c.streams["text"] ?? [])),
      text_mask: stack(
        conditioning.map(({ streams, masks }) => {
          const tokens = streams["text"]?.shape[1] ?? 0;
          return float([1, tokens, 1], masks?.["text"]?.data ?? new Float32Array(tokens).fill(1));
        }),
      ),
    }),
  };
}

/** @throws RequestError for an image or a text beyond the positions that the model knows */
function checkPositions({ axisLengths }: ZImageConfig, { height, width, tokens }: DenoiserShape): void {
  const [frames = 0, rows = 0, columns = 0] = axisLengths;
  if (height / PATCH <= rows && width / PATCH <= columns && tokens + 1 < frames) return;
  throw new RequestError(
    `an image of ${width} × ${height} latents with ${tokens} text tokens: the transformer has positions for ${columns * PATCH} × ${rows * PATCH} latents and ${frames - 2} tokens (axes_lens)`,
  );
}
