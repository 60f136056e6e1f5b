/** The transformer of FLUX.2 as a denoiser. */
import { float, stack } from "../tensor/index.js";
import { type Denoiser, type ImageSize, timestepsOf } from "./denoiser.js";
import { drawFlux2 } from "./flux2.js";
import type { Flux2Config } from "./flux2-config.js";

/** Size of an image in pixels that diffusers' pipeline makes by default; the config does not state one. */
const SIDE = 1024;

/** Denoiser of a FLUX.2 config. @param scaleFactor pixels per folded latent along each side */
export function flux2Denoiser(config: Flux2Config, scaleFactor: number): Denoiser {
  const filled = (n: number, value: number) => float([n], new Float32Array(n).fill(value));
  return {
    config,
    channels: config.channels,
    size: { width: SIDE, height: SIDE },
    multiple: scaleFactor,
    embedsGuidance: config.embedsGuidance,
    interface: {
      in_channels: config.channels,
      out_channels: config.channels,
      joint_attention_dim: config.textFeatures,
    },
    smallest: { height: 1, width: 1, tokens: 8 },
    textFeatures: config.textFeatures,
    latents: ({ width, height }: ImageSize) => [1, config.channels, height / scaleFactor, width / scaleFactor],
    draw: (shape, index) => drawFlux2(config, index, shape),
    inputs: ({ latents, timestep, conditioning, guidance }) => ({
      sample: stack(latents),
      timestep: timestepsOf({ latents, timestep }),
      encoder_hidden_states: stack(conditioning.flatMap((c) => c.streams["text"] ?? [])),
      ...(config.embedsGuidance && { guidance: filled(latents.length, guidance) }),
    }),
  };
}
