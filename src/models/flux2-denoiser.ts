/** The transformer of FLUX.2 as a denoiser. */
import type { Denoiser } from "./denoiser.js";
import { drawFlux2 } from "./flux2.js";
import type { Flux2Config } from "./flux2-config.js";
import { transformerDenoiser } from "./transformer-denoiser.js";

/** Denoiser of a FLUX.2 config. @param scaleFactor pixels per folded latent along each side */
export const flux2Denoiser = (config: Flux2Config, scaleFactor: number): Denoiser =>
  transformerDenoiser({
    config,
    scaleFactor,
    channels: config.channels,
    patch: 1,
    embedsGuidance: config.embedsGuidance,
    interface: {
      in_channels: config.channels,
      out_channels: config.channels,
      joint_attention_dim: config.textFeatures,
    },
    textFeatures: config.textFeatures,
    draw: (shape, index) => drawFlux2(config, index, shape),
  });
