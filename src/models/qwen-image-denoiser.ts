/** The transformer of Qwen-Image as a denoiser. */
import { stack } from "../tensor/index.js";
import { type Denoiser, type ImageSize, timestepsOf } from "./denoiser.js";
import { keyMask, PATCH } from "./patches.js";
import { drawQwenImage } from "./qwen-image.js";
import type { QwenImageConfig } from "./qwen-image-config.js";

/** Size of an image in pixels that diffusers' pipeline makes by default; the config does not state one. */
const SIDE = 1024;

/** Denoiser of a Qwen-Image config. @param scaleFactor VAE scale factor: pixels per latent along each side */
export function qwenImageDenoiser(config: QwenImageConfig, scaleFactor: number): Denoiser {
  return {
    config,
    channels: config.channels,
    size: { width: SIDE, height: SIDE },
    multiple: PATCH * scaleFactor,
    embedsGuidance: false,
    interface: {
      in_channels: config.tokenFeatures,
      out_channels: PATCH ** 2 * config.channels,
      joint_attention_dim: config.textFeatures,
    },
    smallest: { height: PATCH, width: PATCH, tokens: 8 },
    textFeatures: config.textFeatures,
    latents: ({ width, height }: ImageSize) => [1, config.channels, height / scaleFactor, width / scaleFactor],
    draw: (shape, index) => drawQwenImage(config, index, shape),
    inputs: ({ latents, timestep, conditioning }) => ({
      sample: stack(latents),
      timestep: timestepsOf({ latents, timestep }),
      encoder_hidden_states: stack(conditioning.flatMap((c) => c.streams["text"] ?? [])),
      attention_mask: stack(conditioning.map((c, i) => keyMask(c, latents[i]))),
    }),
  };
}
