/** The transformer of Chroma as a denoiser. */
import { drawChroma } from "./chroma.js";
import type { ChromaConfig } from "./chroma-config.js";
import type { Denoiser } from "./denoiser.js";
import { keyMasks, PATCH } from "./patches.js";
import { transformerDenoiser } from "./transformer-denoiser.js";

/** Denoiser of a Chroma config. @param scaleFactor VAE scale factor: pixels per latent along each side */
export const chromaDenoiser = (config: ChromaConfig, scaleFactor: number): Denoiser =>
  transformerDenoiser({
    config,
    scaleFactor,
    channels: config.channels,
    patch: PATCH,
    interface: {
      in_channels: config.tokenFeatures,
      out_channels: PATCH ** 2 * config.channels,
      joint_attention_dim: config.textFeatures,
    },
    textFeatures: config.textFeatures,
    draw: (shape, index) => drawChroma(config, index, shape),
    inputs: (call) => ({ attention_mask: keyMasks(call) }),
  });
