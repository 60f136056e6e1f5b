/** The transformer of FLUX.1 as a denoiser. */
import { float, stack } from "../tensor/index.js";
import { type Denoiser, type ImageSize, timestepsOf } from "./denoiser.js";
import { drawFlux1 } from "./flux1.js";
import type { Flux1Config } from "./flux1-config.js";
import { PATCH } from "./patches.js";

/** Size of an image in pixels that diffusers' pipeline makes by default; the config does not state one. */
const SIDE = 1024;
/** Length of the text that FLUX.1-dev and FLUX.1-schnell were trained with. Only dev embeds the guidance scale. */
const TOKENS = { dev: 512, schnell: 256 } as const;

/** Denoiser of a FLUX.1 config. @param scaleFactor VAE scale factor: pixels per latent along each side */
export function flux1Denoiser(config: Flux1Config, scaleFactor: number): Denoiser {
  const filled = (n: number, value: number) => float([n], new Float32Array(n).fill(value));
  return {
    config,
    channels: config.channels,
    size: { width: SIDE, height: SIDE },
    multiple: PATCH * scaleFactor,
    embedsGuidance: config.embedsGuidance,
    interface: {
      in_channels: config.tokenFeatures,
      out_channels: PATCH ** 2 * config.channels,
      joint_attention_dim: config.textFeatures,
      pooled_projection_dim: config.pooledFeatures,
    },
    smallest: { height: PATCH, width: PATCH, tokens: 8 },
    textFeatures: config.textFeatures,
    textTokens: config.embedsGuidance ? TOKENS.dev : TOKENS.schnell,
    latents: ({ width, height }: ImageSize) => [1, config.channels, height / scaleFactor, width / scaleFactor],
    draw: (shape, index) => drawFlux1(config, index, shape),
    inputs: ({ latents, timestep, conditioning, guidance }) => ({
      sample: stack(latents),
      timestep: timestepsOf({ latents, timestep }),
      encoder_hidden_states: stack(conditioning.flatMap((c) => c.streams["text"] ?? [])),
      pooled_projections: stack(conditioning.flatMap((c) => c.pooled ?? [])),
      ...(config.embedsGuidance && { guidance: filled(latents.length, guidance) }),
    }),
  };
}
