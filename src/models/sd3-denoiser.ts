/** The transformer of Stable Diffusion 3 as a denoiser. */
import { stack } from "../tensor/index.js";
import { type Denoiser, type ImageSize, timestepsOf } from "./denoiser.js";
import { PATCH } from "./patches.js";
import { drawSd3 } from "./sd3.js";
import type { Sd3Config } from "./sd3-config.js";

/** Denoiser of a Stable Diffusion 3 config. @param scaleFactor VAE scale factor: pixels per latent along each side */
export function sd3Denoiser(config: Sd3Config, scaleFactor: number): Denoiser {
  const side = config.side * scaleFactor;
  return {
    config,
    channels: config.channels,
    size: { width: side, height: side },
    multiple: PATCH * scaleFactor,
    longest: config.positions * PATCH * scaleFactor,
    embedsGuidance: false,
    interface: {
      in_channels: config.channels,
      out_channels: config.predicted,
      joint_attention_dim: config.textFeatures,
      pooled_projection_dim: config.pooledFeatures,
    },
    smallest: { height: PATCH, width: PATCH, tokens: 8 },
    textFeatures: config.textFeatures,
    latents: ({ width, height }: ImageSize) => [1, config.channels, height / scaleFactor, width / scaleFactor],
    draw: (shape, index) => drawSd3(config, index, shape),
    inputs: ({ latents, timestep, conditioning }) => ({
      sample: stack(latents),
      timestep: timestepsOf({ latents, timestep }),
      encoder_hidden_states: stack(conditioning.flatMap((c) => c.streams["text"] ?? [])),
      pooled_projections: stack(conditioning.flatMap((c) => c.pooled ?? [])),
    }),
  };
}
