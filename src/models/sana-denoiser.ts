/** The transformer of SANA as a denoiser. */
import { stack } from "../tensor/index.js";
import type { Denoiser } from "./denoiser.js";
import { drawSana } from "./sana.js";
import type { SanaConfig } from "./sana-config.js";
import { textMask, transformerDenoiser } from "./transformer-denoiser.js";

/** Denoiser of a SANA config. @param scaleFactor VAE scale factor: pixels per latent along each side */
export const sanaDenoiser = (config: SanaConfig, scaleFactor: number): Denoiser =>
  transformerDenoiser({
    config,
    scaleFactor,
    channels: config.channels,
    patch: 1,
    side: config.side,
    embedsGuidance: config.guidanceScale !== null,
    interface: {
      in_channels: config.channels,
      out_channels: config.predicted,
      caption_channels: config.textFeatures,
    },
    textFeatures: config.textFeatures,
    draw: (shape, index) => drawSana(config, index, shape),
    inputs: ({ conditioning }) => ({ attention_mask: stack(conditioning.map(textMask)) }),
  });
