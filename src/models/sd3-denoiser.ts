/** The transformer of Stable Diffusion 3 as a denoiser. */
import type { Denoiser } from "./denoiser.js";
import { PATCH } from "./patches.js";
import { drawSd3 } from "./sd3.js";
import type { Sd3Config } from "./sd3-config.js";
import { pooledOf, transformerDenoiser } from "./transformer-denoiser.js";

/** Denoiser of a Stable Diffusion 3 config. @param scaleFactor VAE scale factor: pixels per latent along each side */
export const sd3Denoiser = (config: Sd3Config, scaleFactor: number): Denoiser =>
  transformerDenoiser({
    config,
    scaleFactor,
    channels: config.channels,
    patch: PATCH,
    side: config.side,
    longest: config.positions * PATCH * scaleFactor,
    interface: {
      in_channels: config.channels,
      out_channels: config.predicted,
      joint_attention_dim: config.textFeatures,
      pooled_projection_dim: config.pooledFeatures,
    },
    textFeatures: config.textFeatures,
    draw: (shape, index) => drawSd3(config, index, shape),
    inputs: (call) => ({ pooled_projections: pooledOf(call) }),
  });
