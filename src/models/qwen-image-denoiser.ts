/** The transformer of Qwen-Image as a denoiser. */

import type { Denoiser } from "./denoiser.js";
import { keyMasks, PATCH } from "./patches.js";
import { drawQwenImage } from "./qwen-image.js";
import type { QwenImageConfig } from "./qwen-image-config.js";
import { transformerDenoiser } from "./transformer-denoiser.js";

/** Denoiser of a Qwen-Image config. @param scaleFactor VAE scale factor: pixels per latent along each side */
export const qwenImageDenoiser = (config: QwenImageConfig, scaleFactor: number): Denoiser =>
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
    draw: (shape, index) => drawQwenImage(config, index, shape),
    inputs: (call) => ({ attention_mask: keyMasks(call) }),
  });
