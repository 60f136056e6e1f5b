/** The transformer of FLUX.1 as a denoiser. */
import type { Denoiser } from "./denoiser.js";
import { drawFlux1 } from "./flux1.js";
import type { Flux1Config } from "./flux1-config.js";
import { PATCH } from "./patches.js";
import { pooledOf, transformerDenoiser } from "./transformer-denoiser.js";

/** Length of the text that FLUX.1-dev and FLUX.1-schnell were trained with. Only dev embeds the guidance scale. */
const TOKENS = { dev: 512, schnell: 256 } as const;

/** Denoiser of a FLUX.1 config. @param scaleFactor VAE scale factor: pixels per latent along each side */
export const flux1Denoiser = (config: Flux1Config, scaleFactor: number): Denoiser =>
  transformerDenoiser({
    config,
    scaleFactor,
    channels: config.channels,
    patch: PATCH,
    embedsGuidance: config.embedsGuidance,
    interface: {
      in_channels: config.tokenFeatures,
      out_channels: PATCH ** 2 * config.channels,
      joint_attention_dim: config.textFeatures,
      pooled_projection_dim: config.pooledFeatures,
    },
    textFeatures: config.textFeatures,
    textTokens: config.embedsGuidance ? TOKENS.dev : TOKENS.schnell,
    draw: (shape, index) => drawFlux1(config, index, shape),
    inputs: (call) => ({ pooled_projections: pooledOf(call) }),
  });
